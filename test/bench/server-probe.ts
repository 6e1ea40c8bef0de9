// Loaded into a server that is measured (--import): answers any message with the memory in use once all garbage is gone, and
// ends the server with the benchmark. It does not keep the server from ending.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

process.on('message', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  // What is finalized by the first collection is freed by the second.
  setImmediate(() => {
    collect();
    process.send?.(process.memoryUsage());
  });
});
process.on('disconnect', () => process.exit());
process.channel?.unref();
