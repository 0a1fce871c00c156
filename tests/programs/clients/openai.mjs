// The openai package, unmodified, against /v1: a text, words, and a stream.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import OpenAI from "openai";

const baseURL = process.env.GRAPHQL_URL.replace(/graphql$/, "v1");
const { transcriptions } = new OpenAI({ baseURL, apiKey: process.env.GRAPHQL_TOKEN, maxRetries: 0 }).audio;
const ask = (options) =>
  transcriptions.create({ model: "whisper-1", file: createReadStream(process.env.RECORDING), ...options });

assert.match((await ask({})).text, /^Hello there/);
const verbose = await ask({ response_format: "verbose_json", timestamp_granularities: ["word"] });
assert.equal(verbose.words[0].word, "Hello");
assert.match(await ask({ response_format: "srt" }), /^1\n00:00:00,000 --> /);
const kinds = [];
for await (const event of await ask({ stream: true })) kinds.push(event.type);
assert.equal(kinds.at(-1), "transcript.text.done");
assert(kinds.includes("transcript.text.delta"));
await assert.rejects(ask({ language: "xx" }), { status: 400, param: "language" });
console.log("openai ok");
