// npm's graphql-sse in distinct connections mode, and how a browser's EventSource resumes.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { done, headers, journey, read, url } from './journey.mjs';

const client = createClient({ url, headers, retryAttempts: 0 });
async function* iterate(request) {
  for await (const { data, errors } of client.iterate(request)) {
    if (errors) throw errors;
    yield data;
  }
}
const ask = async (name, variables) => (await iterate({ query: read(name), variables }).next()).value;
const watch = (variables) => iterate({ query: read('watch'), variables });

const found = await journey({ ask, watch });
await assert.rejects(iterate({ query: '{ nope }' }).next(), (errors) => errors[0].extensions.code === 'INVALID_INPUT');
const address = `${url}?${new URLSearchParams({ query: read('watch'), variables: JSON.stringify(found.from) })}`;
const last = found.events.findLast((event) => event.__typename === 'SegmentsAppended');
const resumed = await fetch(address, { headers: { ...headers, Accept: 'text/event-stream', 'Last-Event-ID': last.cursor } });
const ids = [...(await resumed.text()).matchAll(/^id: ?(.*)$/gm)].map(([, id]) => id);
assert.ok(ids.length > 1 && ids.at(-1) === found.events.at(-1).cursor, `resumed with ${ids}`);
done('graphql-sse', found);
