// npm's own tus server, whose answers are compared with ours: prints its port when it is ready.
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const datastore = new FileStore({ directory: process.argv[2], expirationPeriodInMilliseconds: 86_400_000 });
const server = new Server({ path: '/uploads', datastore, maxSize: Number(process.argv[3]) });
const listening = server.listen({ host: '127.0.0.1', port: 0 }, () => console.log(listening.address().port));
