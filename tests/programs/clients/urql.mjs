// urql over HTTP alone: the recording goes as a part of the mutation, subscriptions come as server-sent events.
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { Client, fetchExchange } from '@urql/core';
import { pipe, toAsyncIterable } from 'wonka';
import { done, headers, journey, read, recording, shownInParts, url } from './journey.mjs';

const fetchOptions = { headers: { ...headers, 'GraphQL-Preflight': '1' } }; // the preflight header is for uploads
const options = { url, exchanges: [fetchExchange], fetchSubscriptions: true, fetchOptions };
const client = new Client({ ...options, preferGetMethod: false });
const unwrap = ({ data, error }) => {
  if (error) throw error;
  return data;
};
const ask = async (name, variables) => {
  const document = read(name);
  const run = document.startsWith('mutation') ? client.mutation : client.query;
  return unwrap(await run.call(client, document, variables, { requestPolicy: 'network-only' }).toPromise());
};
const source = async () => ({ file: new File([await openAsBlob(recording)], basename(recording)) });
async function* watch(variables) {
  for await (const result of pipe(client.subscription(read('watch'), variables), toAsyncIterable)) yield unwrap(result);
}

const found = await journey({ ask, watch, source });
await assert.rejects(client.query('{ nope }', {}).toPromise().then(unwrap), (error) => error.graphQLErrors[0].extensions.code === 'INVALID_INPUT');
const latest = async function* () {
  const results = pipe(client.query(read('later'), { id: found.from.id }, { requestPolicy: 'network-only' }), toAsyncIterable);
  for await (const result of results) {
    yield structuredClone(unwrap(result));
    if (!result.hasNext) return;
  }
};
await shownInParts('urql', latest());
const byGet = new Client({ ...options, preferGetMethod: 'force' });
assert.equal(unwrap(await byGet.query(read('read'), { id: found.from.id }).toPromise()).job.state, 'SUCCEEDED');
done('urql', found);
