// A program for tests: runs the embedded database on the directory of its argument until SIGTERM, and prints what happens.

import { EmbeddedMariadb } from '../../../src/storage/embedded/embedded-mariadb.js';

const print = (fields: object, message: string) => console.log(message, JSON.stringify(fields));
const embedded = new EmbeddedMariadb({
  dataDir: process.argv[2] ?? '',
  logger: { debug: print, info: print, warn: print, error: print },
  bufferPoolBytes: 64 * 1024 * 1024,
});

process.once('SIGTERM', () => void embedded.stop().then(() => console.log('stopped')));
try {
  const { url } = await embedded.start();
  console.log(`url ${url} pid ${embedded.pid}`);
} catch (error) {
  console.log(String(error));
  process.exitCode = 1;
}
