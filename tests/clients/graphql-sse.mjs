// npm's graphql-sse in distinct connections mode, and a bare EventSource's resumption.
import { createClient } from 'graphql-sse';
import { assert, authorized, checkMutation, checkQuery, checkTicks, headers, mutation, query, subscription, url, variables } from './server.mjs';

const client = createClient({ url, headers, retryAttempts: 0 });
const all = async (request) => {
  const found = [];
  for await (const result of client.iterate(request)) found.push(result);
  return found;
};

checkQuery((await all({ query, variables }))[0].data);
checkMutation((await all({ query: mutation }))[0].data);
checkTicks((await all({ query: subscription, variables: { upto: 3 } })).map((result) => result.data));
assert.equal((await all({ query: '{ nope }' }))[0].errors[0].extensions.code, 'INVALID_INPUT');
client.dispose();

const address = `${url}?${new URLSearchParams({ query: subscription, variables: JSON.stringify({ upto: 3 }) })}`;
const resumed = await authorized(address, { headers: { Accept: 'text/event-stream', 'Last-Event-ID': '2' } });
assert.match(await resumed.text(), /^:\n\nevent: next\nid: 3\ndata: .*"number":3.*\n\nevent: complete\ndata: \n\n$/);
console.log('graphql-sse: query, mutation, subscription, errors, resumption ok');
