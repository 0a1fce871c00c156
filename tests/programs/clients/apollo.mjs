// Apollo Client: queries and mutations over HTTP, subscriptions over WebSocket; and subscriptions over multipart HTTP.
import assert from 'node:assert/strict';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // not needed in browsers, nor in Node.js 22 and later
import { done, headers, iterate, journey, read, shownInParts, url } from './journey.mjs';

const socket = createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, connectionParams: headers });
const http = new HttpLink({ uri: url, headers });
const split = ApolloLink.split(({ operationType }) => operationType === 'subscription', new GraphQLWsLink(socket), http);
const connect = (link, incrementalHandler) => {
  const client = new ApolloClient({ link, cache: new InMemoryCache(), incrementalHandler });
  const ask = async (name, variables) => {
    const document = gql(read(name));
    const writes = document.definitions[0].operation === 'mutation';
    const options = { variables, fetchPolicy: 'network-only' };
    return (await (writes ? client.mutate({ mutation: document, variables }) : client.query({ query: document, ...options }))).data;
  };
  const watch = (variables) => iterate((observer) => client.subscribe({ query: gql(read('watch')), variables }).subscribe(observer));
  return { client, ask, watch };
};

const overSocket = connect(split);
done('Apollo Client over WebSocket', await journey(overSocket));
const found = await journey(connect(http));
done('Apollo Client over multipart HTTP', found);
for (const handler of [new GraphQL17Alpha9Handler(), new Defer20220824Handler()]) {
  const { client } = connect(http, handler);
  const options = { query: gql(read('later')), variables: { id: found.from.id }, fetchPolicy: 'no-cache' };
  const shown = iterate((observer) => {
    client.watchQuery(options).subscribe({
      next: (result) => {
        if (result.data) observer.next({ data: structuredClone(result.data) });
        if (!result.loading && result.networkStatus === 7) observer.complete();
      },
    });
  });
  await shownInParts(`Apollo Client, ${handler.constructor.name}`, shown);
}
await assert.rejects(overSocket.client.query({ query: gql('{ nope }') }), (error) => error.errors[0].extensions.code === 'INVALID_INPUT');
await socket.dispose();
