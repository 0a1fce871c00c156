// What every program here does with its client: send a recording, watch the job, read the transcript, fetch subtitles.
import assert from 'node:assert/strict';
import { openAsBlob, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const { GRAPHQL_URL: url, GRAPHQL_TOKEN: token, RECORDING: recording } = process.env;
export const headers = { Authorization: `Bearer ${token}` };
export const read = (name) => readFileSync(new URL(`documents/${name}.graphql`, import.meta.url), 'utf8');

// An answer that is a union: the payload, or an Error with a code.
export const payload = (answer) => {
  if (answer.code) throw new Error(`${answer.code}: ${answer.message} (${answer.correlationId})`);
  return answer;
};

// Announce the file, send its bytes to the address in the answer; the id of the recording.
export const put = async (ask) => {
  const body = await openAsBlob(recording);
  const { upload } = payload((await ask('announce', { filename: basename(recording), byteSize: body.size })).createUpload);
  const response = await fetch(new URL(upload.url, url), { method: 'PUT', body });
  return { mediaId: (await response.json()).mediaId };
};

// ask(name, variables) gives a document's data; watch(variables) iterates over the data of the events.
export const journey = async ({ ask, watch, source = put }) => {
  const { job } = payload((await ask('start', { source: await source(ask) })).createJob);
  const from = { id: job.id, after: job.events.edges[0].cursor }; // nothing is missed between start and watch
  const events = [];
  for await (const { jobEvents } of watch(from)) events.push(structuredClone(jobEvents));
  const states = events.map((event) => event.job.state);
  assert.equal(states.at(-1), 'SUCCEEDED');
  const heard = events.flatMap((event) => event.segments ?? []);
  assert.match(heard[0].text, /^Hello there,/);

  const { transcript } = (await ask('read', { id: job.id })).job;
  assert.equal(transcript.language, 'en');
  assert.match(transcript.text, /number 1\./);
  assert.ok(transcript.segments.edges.length > 1 && transcript.speakers.length === 2);

  let { export: file } = payload((await ask('export', { id: transcript.id })).createExport);
  while (!['READY', 'FAILED'].includes(file.state)) {
    ({ export: file } = await ask('exported', { id: file.id }));
    await sleep(100);
  }
  const subtitles = await (await fetch(new URL(file.downloadUrl, url))).text();
  assert.match(subtitles, /^1\n00:00:0/);
  assert.equal((await ask('read', { id: 'job_unknown' })).job, null);
  return { from, events, subtitles };
};

// A client's callbacks as an iterable.
export const iterate = (subscribe) =>
  new ReadableStream({
    start: (stream) =>
      subscribe({
        next: (result) => (result.data ? stream.enqueue(result.data) : stream.error(result.error ?? result.errors)),
        error: (error) => stream.error(error),
        complete: () => stream.close(),
      }),
  });

// What a client shows, one after the other, of the query `later`: the text and most words come after the rest.
export const shownInParts = async (client, results) => {
  const shown = [];
  for await (const { job } of results) shown.push([job.transcript.words.edges.length, Boolean(job.transcript.text)]);
  assert.deepEqual([shown[0], shown.at(-1)], [[2, false], [10, true]], `${client} showed ${JSON.stringify(shown)}`);
  console.log(`${client}: @defer and @stream in ${shown.length} parts`);
};

export const done = (client, { events, subtitles }) =>
  console.log(`${client}: sent, ${events.length} events watched, read, ${subtitles.length} bytes of subtitles`);
