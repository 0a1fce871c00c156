// The shapes of what operations.graphql asks for.

/**
 * @typedef {{code: string, message: string, remedy: string | null, retryable: boolean, stage: string | null}}
 * Problem
 */
/**
 * @typedef {{stage: string, state: 'PENDING' | 'RUNNING' | 'DONE' | 'SKIPPED' | 'FAILED', progress: number,
 * seconds: number | null}} Stage
 */
/** @typedef {{id: string, label: string, name: string | null, seconds: number, wordCount: number}} Speaker */
/** @typedef {'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'PARTIAL' | 'FAILED' | 'CANCELED'} State */

/** @typedef {{id: string, title: string, language: string | null, revision: number, speakers: Speaker[]}} Titled */

/**
 * A row of the library.
 * @typedef {object} Job
 * @property {string} id
 * @property {State} state
 * @property {string | null} stage
 * @property {number} progress
 * @property {number | null} etaSeconds
 * @property {number | null} queuePosition
 * @property {number | null} startsInSeconds
 * @property {string[]} tags
 * @property {number} priority
 * @property {string} createdAt
 * @property {string | null} finishedAt
 * @property {Stage[]} stages
 * @property {Problem[]} problems
 * @property {{diarize: boolean, model: string}} options
 * @property {{id: string, filename: string, durationSeconds: number, playbackUrl: string | null}} media
 * @property {Titled | null} transcript
 */

/** @typedef {{name: string, languages: string[], loaded: boolean, default: boolean}} Model */

/**
 * @typedef {object} Capabilities
 * @property {string} version
 * @property {Model[]} models
 * @property {string[]} alignmentLanguages
 * @property {{available: boolean, reason: string | null}} diarization
 * @property {string[]} exportFormats
 * @property {number} maxUploadBytes
 * @property {number} maxDurationSeconds
 * @property {number} workersOnline
 * @property {number} queueDepth
 * @property {Problem[]} problems
 */

/**
 * Who asks, and what this installation can do.
 * @typedef {object} Start
 * @property {{user: {id: string, name: string | null}, scopes: string[], usage: Record<string, number | null>}} viewer
 * @property {Capabilities} capabilities
 */

/**
 * @typedef {{number: number, summary: string, createdAt: string, author: {id: string, name: string | null} | null,
 * changes: Change[]}} Revision
 */
/**
 * @typedef {{segmentId: string, before: string | null, after: string | null, speakerBefore: string | null,
 * speakerAfter: string | null, start: number}} Change
 */
/** @typedef {{index: number, start: number, end: number, lines: string[], speaker: {id: string} | null}} Caption */

export {}
