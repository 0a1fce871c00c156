// npm's graphql-ws: everything over one WebSocket.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // not needed in browsers, nor in Node.js 22 and later
import { done, headers, journey, read, url } from './journey.mjs';

const connect = (connectionParams) =>
  createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 });
const client = connect(headers);
const first = async (request) => {
  for await (const { data, errors } of client.iterate(request)) {
    if (errors) throw errors;
    return data;
  }
};
const ask = (name, variables) => first({ query: read(name), variables });
async function* watch(variables) {
  for await (const { data } of client.iterate({ query: read('watch'), variables })) yield data;
}

const found = await journey({ ask, watch });
const parts = [];
for await (const part of client.iterate({ query: read('later'), variables: { id: found.from.id } })) parts.push(part);
assert.ok(parts.length > 1 && parts.at(-1).hasNext === false);
await assert.rejects(first({ query: '{ nope }' }), (errors) => errors[0].extensions.code === 'INVALID_INPUT');
await assert.rejects(connect({ Authorization: 'Bearer wrong' }).iterate({ query: '{ __typename }' }).next(), { code: 4403 });
done('graphql-ws', found);
await client.dispose();
