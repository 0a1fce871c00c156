// The audit of npm's graphql-http: every check must be ok.
import { serverAudits } from 'graphql-http';
import { headers, url } from './journey.mjs';

const fetchFn = (address, options = {}) => fetch(address, { ...options, headers: { ...options.headers, ...headers } });

let failed = 0;
const audits = serverAudits({ url, fetchFn });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== 'ok') {
    failed += 1;
    console.log(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`graphql-http audit: ${audits.length - failed} of ${audits.length} ok`);
process.exit(failed ? 1 : 0);
