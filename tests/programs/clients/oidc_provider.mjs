// A certified OpenID Connect provider with one client: PORT, ISSUER, NAME and WEB (the client's address) from outside.
import Provider from 'oidc-provider';

const { PORT, ISSUER, WEB, NAME } = process.env;
const provider = new Provider(ISSUER, {
  clients: [{
    client_id: 'graphophone', client_secret: 'a secret of the tests',
    response_types: ['code'], grant_types: ['authorization_code'],
    redirect_uris: [`${WEB}/auth/${NAME}/callback`], post_logout_redirect_uris: [`${WEB}/graphql`],
    backchannel_logout_uri: `${WEB}/auth/${NAME}/backchannel`, backchannel_logout_session_required: true,
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'sid'], email: ['email', 'email_verified'], profile: ['name'] },
  async findAccount(_context, id) {
    const claims = { sub: id, email: `${id}@example.org`, email_verified: true, name: id };
    return { accountId: id, claims: async () => claims };
  },
  features: {
    devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true },
  },
  cookies: { keys: ['of the tests'] },
  // its own refuses loopback, where all of this happens
  fetch: (url, { method, headers, body, redirect }) => fetch(url, { method, headers, body, redirect }),
});
provider.on('server_error', (_context, error) => console.error(error));
provider.on('backchannel.error', (_context, error) => console.error(error));
provider.listen(Number(PORT), () => console.log('ready'));
