// Where the server is, who we are, and what to ask it: from the environment, set by run.py.
import assert from 'node:assert/strict';

export const url = process.env.GRAPHQL_URL;
export const wsUrl = url.replace(/^http/, 'ws');
export const token = process.env.GRAPHQL_TOKEN;
export const headers = { Authorization: `Bearer ${token}` };
export const authorized = (address, options = {}) =>
  fetch(address, { ...options, headers: { ...(options.headers ?? {}), ...headers } });

export const query = 'query Hello($name: String!) { hello(name: $name) words(first: 3) { text start } }';
export const variables = { name: 'client' };
export const mutation = 'mutation { ping }';
export const subscription = 'subscription Ticks($upto: Int!) { ticks(upto: $upto) { cursor ... on Ticked { number } } }';

export const checkQuery = (data) => {
  assert.equal(data.hello, 'Hello, client!');
  assert.equal(data.words.length, 3);
};
export const checkMutation = (data) => assert.equal(data.ping, 'pong');
export const checkTicks = (events) => assert.deepEqual(events.map((data) => data.ticks.number), [1, 2, 3]);
export { assert };
