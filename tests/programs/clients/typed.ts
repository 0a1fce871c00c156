// TypeScript with types generated from the schema and the documents: the compiler knows every field and every event.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-sse';
import type { ExportMutation, ExportedQuery, ReadQuery, StartMutation, WatchSubscription, WatchSubscriptionVariables } from './generated/operations.js';
import type { JobState } from './generated/schema.js';

const { GRAPHQL_URL: url = '', GRAPHQL_TOKEN: token = '', RECORDING: recording = '' } = process.env;
const headers = { Authorization: `Bearer ${token}`, 'GraphQL-Preflight': '1' };
const read = (name: string) => readFileSync(`documents/${name}.graphql`, 'utf8');
const client = createClient({ url, headers });

async function* iterate<Data>(name: string, variables: Record<string, unknown>): AsyncGenerator<Data> {
  for await (const { data, errors } of client.iterate<Data>({ query: read(name), variables })) {
    if (errors) throw new Error(errors[0].message);
    if (data) yield data;
  }
}
const ask = async <Data>(name: string, variables: Record<string, unknown>): Promise<Data> =>
  (await iterate<Data>(name, variables).next()).value;

const form = new FormData(); // a file goes as a GraphQL multipart request
form.set('operations', JSON.stringify({ query: read('start'), variables: { source: { file: null } } }));
form.set('map', '{"0":["variables.source.file"]}');
form.set('0', new Blob([readFileSync(recording)]), 'call.wav');
const answer = (await (await fetch(url, { method: 'POST', headers, body: form })).json()) as { data: StartMutation };
const started = answer.data.createJob;
if (!('job' in started)) throw new Error(`${started.code}: ${started.message}`);

let state: JobState = 'QUEUED';
const from: WatchSubscriptionVariables = { id: started.job.id, after: started.job.events.edges[0].cursor };
for await (const { jobEvents } of iterate<WatchSubscription>('watch', from)) {
  state = jobEvents.job.state;
  if (jobEvents.__typename === 'SegmentsAppended' && !jobEvents.segments.length) throw new Error('no segments');
}
const transcript = (await ask<ReadQuery>('read', { id: started.job.id })).job?.transcript;
if (state !== 'SUCCEEDED' || !transcript) throw new Error(`${state}, and no transcript`);

const wanted = (await ask<ExportMutation>('export', { id: transcript.id })).createExport;
if (!('export' in wanted)) throw new Error(`${wanted.code}: ${wanted.message}`);
let file: ExportedQuery['export'];
do {
  file = (await ask<ExportedQuery>('exported', { id: wanted.export.id })).export;
  if (!file || file.state === 'FAILED') throw new Error(file?.problem?.message);
  await sleep(100);
} while (!file.downloadUrl);
const subtitles = await (await fetch(new URL(file.downloadUrl, url))).text();
const speakers = transcript.speakers.map((speaker) => speaker.label);
console.log(`TypeScript: sent, watched, read (${speakers}), ${subtitles.length} bytes of subtitles; types generated and checked`);
