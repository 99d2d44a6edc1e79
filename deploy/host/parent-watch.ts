/**
 * A thread that ends its process when the one that started it is gone: the main thread may be in a
 * loop that never ends, and would run on for nobody.
 */
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../../schemas/kernel/clock.ts';

const lookMs = 1_000;
const parent = process.ppid;

function look(): void {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  systemClock.setTimer(lookMs, look);
}

look();
parentPort?.postMessage('watching');
