// urql over HTTP alone: subscriptions come as server-sent events, asked for with everything it accepts.
import { Client, fetchExchange } from '@urql/core';
import { pipe, subscribe } from 'wonka';
import { assert, checkMutation, checkQuery, checkTicks, headers, mutation, query, subscription, url, variables } from './server.mjs';

const client = new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true, fetchOptions: { headers }, preferGetMethod: false });
const answer = async (promise) => {
  const result = await promise;
  if (result.error) throw result.error;
  return result.data;
};

checkQuery(await answer(client.query(query, variables).toPromise()));
checkMutation(await answer(client.mutation(mutation, {}).toPromise()));
const events = [];
await new Promise((resolve) => {
  pipe(
    client.subscription(subscription, { upto: 3 }),
    subscribe((result) => {
      if (result.data) events.push(structuredClone(result.data));
      if (events.length === 3) resolve();
    }),
  );
});
checkTicks(events);
await assert.rejects(answer(client.query('{ nope }', {}).toPromise()), (error) => error.graphQLErrors[0].extensions.code === 'INVALID_INPUT');
const byGet = new Client({ url, exchanges: [fetchExchange], fetchOptions: { headers }, preferGetMethod: 'force' });
checkQuery(await answer(byGet.query(query, variables).toPromise()));
console.log('urql: query, query by GET, mutation, subscription over SSE, errors ok');
process.exit(0);
