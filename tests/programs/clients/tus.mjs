// npm's tus-js-client and @uppy/tus send a recording by tus, as people use them: by the address that createUpload gave,
// with nothing but an endpoint, and in parallel. TUS_ENDPOINT may be behind something that breaks connections.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import * as tus from 'tus-js-client';

const { GRAPHQL_URL: url, GRAPHQL_TOKEN: token, RECORDING: recording } = process.env;
const endpoint = process.env.TUS_ENDPOINT ?? new URL('/uploads', url).href;
const headers = { Authorization: `Bearer ${token}` };
const size = statSync(recording).size;

const ask = async (query, variables) => {
  const body = JSON.stringify({ query, variables });
  const answer = await fetch(url, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body });
  return (await answer.json()).data;
};

// The recording that an upload has become has as many bytes as the file.
const check = async (client, address) => {
  const id = new URL(address).pathname.split('/').pop();
  const { upload } = await ask('query($id: ID!) { upload(id: $id) { media { byteSize } } }', { id });
  assert.equal(Number(upload.media.byteSize), size);
  console.log(`${client}: sent`);
};

const send = (options) =>
  new Promise((resolve, reject) => {
    const settings = { retryDelays: Array(400).fill(20), metadata: { filename: 'call.wav' }, ...options };
    const upload = new tus.Upload(readFileSync(recording), { ...settings, onError: reject, onSuccess: () => resolve(upload.url) });
    upload.start();
  });

await check('tus-js-client', await send({ endpoint, headers, chunkSize: 1 << 20 }));
await check('tus-js-client, in one request', await send({ endpoint, headers }));
await check('tus-js-client, three at once', await send({ endpoint, headers, parallelUploads: 3, chunkSize: 1 << 20 }));

const announced = await ask(
  'mutation($size: BigInt!) { createUpload(input: {filename: "call.wav", byteSize: $size}) { ... on CreateUploadPayload { upload { url } } } }',
  { size },
);
const own = new URL(announced.createUpload.upload.url, url);
const signed = endpoint.replace(/\/uploads$/, own.pathname + own.search);
await check('tus-js-client, by the address of createUpload', await send({ uploadUrl: signed }));

const uppy = new Uppy().use(Tus, { endpoint, headers, retryDelays: Array(400).fill(20), limit: 2 });
uppy.addFile({ name: 'call.wav', data: readFileSync(recording) }); // in Node; in a browser it is a File
const { successful, failed } = await uppy.upload();
assert.deepEqual(failed, []);
await check('@uppy/tus', successful[0].uploadURL);
uppy.destroy();
