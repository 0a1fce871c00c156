// npm's graphql-ws over WebSocket: query, mutation, subscription, refused token, broken query.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { assert, checkMutation, checkQuery, checkTicks, mutation, query, subscription, token, variables, wsUrl } from './server.mjs';

const client = (given) =>
  createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { Authorization: `Bearer ${given}` }, retryAttempts: 0 });
const all = async (iterable) => {
  const found = [];
  for await (const result of iterable) found.push(result);
  return found;
};

const good = client(token);
checkQuery((await all(good.iterate({ query, variables })))[0].data);
checkMutation((await all(good.iterate({ query: mutation })))[0].data);
checkTicks((await all(good.iterate({ query: subscription, variables: { upto: 3 } }))).map((result) => result.data));
for (const broken of ['{', '{ nope }']) {
  await assert.rejects(all(good.iterate({ query: broken })), (errors) => errors[0].extensions.code === 'INVALID_INPUT');
}
checkQuery((await all(good.iterate({ query, variables })))[0].data);
await good.dispose();
await assert.rejects(all(client('wrong').iterate({ query, variables })), (event) => event.code === 4403);
console.log('graphql-ws: query, mutation, subscription, errors, refusal ok');
