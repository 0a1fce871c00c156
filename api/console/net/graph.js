// Questions to the graph over HTTP, and what may come instead of an answer.
import { documentOf } from './documents.js'
import { ROOT, ended, token } from './session.js'

const ENDPOINT = new URL('graphql', ROOT)

/** A refusal, in the four facts that every error of the server has. */
export class Refusal extends Error {
  /**
   * @param {{code: string, message: string, details?: any, correlationId?: string, __typename?: string, [name:
   * string]: any}} facts
   */
  constructor(facts) {
    super(facts.message)
    this.code = facts.code
    this.details = facts.details ?? {}
    this.correlationId = facts.correlationId ?? ''
    this.facts = facts
  }
}

/** The server cannot be reached. */
export class Unreachable extends Error {}

const SIGNED_OUT = () => new Refusal({ code: 'UNAUTHENTICATED', message: '' })

/** Wait. @param {number} seconds */
export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/**
 * Ask, and return `data`. One that asks too fast is told to wait, waits, and asks again.
 * @param {string} name an operation of operations.graphql
 * @param {Record<string, any>} [variables]
 * @returns {Promise<any>}
 */
export async function ask(name, variables = {}) {
  const body = JSON.stringify({ query: documentOf(name), operationName: name, variables })
  for (let tries = 0; ; tries++) {
    const answer = await post(body)
    if (answer.status === 401) {
      ended()
      throw SIGNED_OUT()
    }
    if (answer.status === 429 && tries < 5) {
      await pause(Number(answer.headers.get('retry-after')) || 2)
      continue
    }
    const { data, errors } = await answer.json().catch(() => ({ errors: [{ message: answer.statusText }] }))
    if (errors?.length) throw refusalOf(errors[0])
    return data
  }
}

/** Tell whether the server takes a token, before it is kept. @param {string} secret */
export async function takes(secret) {
  const body = JSON.stringify({ query: documentOf('Start'), operationName: 'Start' })
  return (await post(body, secret)).status !== 401
}

/** @param {string} body @param {string | null} [secret] */
async function post(body, secret = token()) {
  try {
    return await fetch(ENDPOINT, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(secret ? { Authorization: `Bearer ${secret}` } : {}) },
      body,
    })
  } catch {
    throw new Unreachable()
  }
}

/** Make a refusal of an entry of `errors`. @param {any} error */
export const refusalOf = ({ message, extensions }) => new Refusal({ code: 'INTERNAL', message, ...extensions })

/**
 * Do something, and return the payload; throw the refusal that came instead.
 * @param {string} name @param {Record<string, any>} variables
 */
export async function act(name, variables) {
  const [result] = Object.values(await ask(name, variables))
  if (result.__typename?.endsWith('Error')) throw new Refusal(result)
  return result
}
