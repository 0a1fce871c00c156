// Apollo Client: HTTP for queries and mutations, WebSocket for subscriptions.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client/core/index.js';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { assert, checkMutation, checkQuery, checkTicks, headers, mutation, query, subscription, url, variables, wsUrl } from './server.mjs';

const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: headers });
const link = ApolloLink.split(
  ({ operationType }) => operationType === 'subscription',
  new GraphQLWsLink(socket),
  new HttpLink({ uri: url, headers }),
);
const client = new ApolloClient({ link, cache: new InMemoryCache() });

checkQuery((await client.query({ query: gql(query), variables })).data);
checkMutation((await client.mutate({ mutation: gql(mutation) })).data);
const events = [];
await new Promise((resolve, reject) =>
  client.subscribe({ query: gql(subscription), variables: { upto: 3 } }).subscribe({
    next: (result) => events.push(result.data),
    error: reject,
    complete: resolve,
  }),
);
checkTicks(events);
const overHttp = new ApolloClient({ link: new HttpLink({ uri: url, headers }), cache: new InMemoryCache() });
const parts = [];
await new Promise((resolve, reject) =>
  overHttp.subscribe({ query: gql(subscription), variables: { upto: 3 } }).subscribe({
    next: (result) => parts.push(result.data),
    error: reject,
    complete: resolve,
  }),
);
checkTicks(parts);
await assert.rejects(client.query({ query: gql('{ nope }') }));
await socket.dispose();
console.log('Apollo Client: query, mutation, subscription over WebSocket and multipart HTTP, errors ok');
