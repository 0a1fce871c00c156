// The audit of npm's graphql-http: every check must be ok.
import { serverAudits } from 'graphql-http';
import { authorized, url } from './server.mjs';

let failed = 0;
const audits = serverAudits({ url, fetchFn: authorized });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== 'ok') {
    failed += 1;
    console.log(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`graphql-http audit: ${audits.length - failed} of ${audits.length} ok`);
process.exit(failed ? 1 : 0);
