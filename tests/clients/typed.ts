// TypeScript with types generated from the schema and the documents: the compiler knows every field and every event.
import { readFileSync } from 'node:fs';
import { createClient } from 'graphql-sse';
import type { ReadQuery, ReadQueryVariables, StartMutation, WatchSubscription, WatchSubscriptionVariables } from './generated/operations.js';
import type { JobState } from './generated/schema.js';

const { GRAPHQL_URL: url = '', GRAPHQL_TOKEN: token = '', RECORDING: recording = '' } = process.env;
const headers = { Authorization: `Bearer ${token}`, 'GraphQL-Preflight': '1' };
const read = (name: string) => readFileSync(`documents/${name}.graphql`, 'utf8');
const client = createClient({ url, headers });

async function* ask<Data, Variables extends Record<string, unknown>>(name: string, variables: Variables): AsyncGenerator<Data> {
  for await (const { data, errors } of client.iterate<Data>({ query: read(name), variables })) {
    if (errors) throw new Error(errors[0].message);
    if (data) yield data;
  }
}

const form = new FormData(); // a file goes as a GraphQL multipart request
form.set('operations', JSON.stringify({ query: read('start'), variables: { source: { file: null } } }));
form.set('map', '{"0":["variables.source.file"]}');
form.set('0', new Blob([readFileSync(recording)]), 'call.wav');
const answer = (await (await fetch(url, { method: 'POST', headers, body: form })).json()) as { data: StartMutation };
const started = answer.data.createJob;
if (!('job' in started)) throw new Error(`${started.code}: ${started.message}`);

let state: JobState = 'QUEUED';
const from: WatchSubscriptionVariables = { id: started.job.id, after: started.job.events.edges[0].cursor };
for await (const { jobEvents } of ask<WatchSubscription, WatchSubscriptionVariables>('watch', from)) {
  state = jobEvents.job.state;
  if (jobEvents.__typename === 'SegmentsAppended' && !jobEvents.segments.length) throw new Error('no segments');
}
for await (const { job } of ask<ReadQuery, ReadQueryVariables>('read', { id: started.job.id })) {
  const speakers = job?.transcript?.speakers.map((speaker) => speaker.label) ?? [];
  if (state !== 'SUCCEEDED' || speakers.length !== 2) throw new Error(`${state} ${speakers}`);
  console.log(`TypeScript: types generated and checked; sent, watched until ${state}, read, speakers ${speakers}`);
}
