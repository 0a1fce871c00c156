// Starts GraphiQL on this server: token, subscriptions over WebSocket, example operations as tabs.
'use strict';

(async () => {
  const KEY = 'graphophone.token';
  const url = location.origin + location.pathname;
  const socketUrl = url.replace(/^http/, 'ws');

  // a token in the fragment never reaches a server's log; it leaves the address at once
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname + location.search);
  }

  const input = document.getElementById('token');
  const state = document.getElementById('token-state');
  const token = () => sessionStorage.getItem(KEY);
  const headers = () => (token() ? { Authorization: 'Bearer ' + token() } : {});
  const show = () => {
    state.textContent = token() ? 'token set for this tab' : 'no token yet';
    state.className = token() ? '' : 'missing';
  };

  let socket;
  const connect = () => {
    if (socket) socket.dispose();
    // not lazy-retrying for ever: an error belongs in the result pane
    socket = graphqlWs.createClient({ url: socketUrl, connectionParams: headers, retryAttempts: 3 });
  };
  connect();

  document.getElementById('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const pasted = input.value.trim();
    if (pasted) sessionStorage.setItem(KEY, pasted);
    else sessionStorage.removeItem(KEY);
    location.reload();
  });
  show();

  const answer = await fetch(url.replace(/\/$/, '') + '/assets/examples.json');
  const examples = answer.ok ? await answer.json() : [];
  const asked = new URLSearchParams(location.search);

  const fetcher = GraphiQL.createFetcher({
    url,
    fetch: (address, options) =>
      fetch(address, { ...options, headers: { ...options.headers, ...headers() }, credentials: 'same-origin' }),
    // looked up at every subscription, so that a new token takes effect
    wsClient: { subscribe: (payload, sink) => socket.subscribe(payload, sink), dispose: () => socket.dispose() },
  });

  ReactDOM.render( // the package holds React 17
    React.createElement(GraphiQL, {
      fetcher,
      query: asked.get('query') || undefined,
      variables: asked.get('variables') || undefined,
      defaultTabs: examples.length ? examples : undefined,
      defaultQuery: '# Type a query here; the book on the left holds the documentation.\n',
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false, // headers may hold credentials
      defaultEditorToolsVisibility: 'variables',
    }),
    document.getElementById('playground'),
  );
})();
