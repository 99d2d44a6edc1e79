/**
 * A process of its own that tries whether a build of a topology could take over from the last checkpoint, and ends. It changes nothing: what the
 * author's modules do to it while they are evaluated (they throw, never finish, end the process, fill the memory) is done to it alone.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { checkJob } from '../../topology/index.ts';
import { bindTopology } from './bind-topology.ts';
import { notingTables } from './bindings.ts';
import { remoteGraph } from './graph-link.ts';
import { importTopology } from './topology-file.ts';
import type { FromTrial, TrialInput } from './worker-protocol.ts';
import { faultOf } from './worker-protocol.ts';

/** Resolves when the host has it. */
function say(message: FromTrial): Promise<void> {
  return new Promise((resolve) => {
    assert(process.send !== undefined, 'the process that tries a topology has a parent');
    process.send(message, () => resolve());
  });
}

async function attempt(input: TrialInput): Promise<void> {
  const { topology } = await importTopology(input);
  await say({ kind: 'imported' });
  const bindings = await bindTopology(input, remoteGraph(() => undefined).database);
  const { connectors, tables } = notingTables(bindings.connectors, input.file);
  try {
    await checkJob({ topology, blobs: bindings.checkpoints, connectors, dropState: input.dropState });
  } finally {
    await say({ kind: 'tables', tables: Object.fromEntries(tables) });
  }
  await say({ kind: 'fits' });
}

// Without a host nobody waits for the verdict.
process.once('disconnect', () => process.exit());
process.once('message', (input: TrialInput) => {
  void attempt(input)
    .catch((thrown: unknown) => say({ kind: 'failed', fault: faultOf(thrown) }))
    .then(() => process.exit());
});
void say({ kind: 'started' });
