/**
 * A process of its own that loads a build of a topology, finds all that would keep it from taking
 * over from the last checkpoint, and ends. It changes nothing: what the author's modules do to it
 * while they are evaluated (they throw, never finish, end the process, fill the memory) is done to
 * it alone.
 */
import { Worker } from 'node:worker_threads';
import { assert } from '../../schemas/kernel/assert.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Topology } from '../../topology/index.ts';
import { checkJob, paneWarnings } from '../../topology/index.ts';
import type { UserFunction } from '../../topology/nodes/node.ts';
import { slotsOf } from '../../topology/operators/kinds.ts';
import { placeReader, scriptPlaces } from './author-places.ts';
import { bindTopology } from './bind-topology.ts';
import { notingTables } from './bindings.ts';
import { remoteGraph } from './graph-link.ts';
import type { LoadedTopology } from './topology-file.ts';
import { importTopology } from './topology-file.ts';
import type { Finding, FromTrial, MadeOf, TrialInput, TrialVerdict } from './worker-protocol.ts';
import { dropsOf, faultOf } from './worker-protocol.ts';

/** Resolves when the host has it. */
function say(message: FromTrial): Promise<void> {
  return new Promise((resolve) => {
    assert(process.send !== undefined, 'the process that tries a topology has a parent');
    process.send(message, () => resolve());
  });
}

async function verdictOn(input: TrialInput): Promise<TrialVerdict> {
  const placeOf = placeReader(input.script);
  let loaded: LoadedTopology;
  try {
    loaded = await importTopology(input);
  } catch (thrown) {
    const { cause, fix } = thrown as SluiceError;
    const thrownAt = placeOf(cause instanceof Error ? cause.stack : undefined) ?? null;
    // What it lacks is nowhere: its first line stands for it.
    const place = cause === undefined ? { file: input.file, line: 1, column: 1 } : thrownAt;
    const finding = {
      kind: 'load',
      node: null,
      place,
      message: messageOf(thrown),
      fix: fix ?? 'correct what throws',
    } as const;
    return { name: null, nodes: 0, findings: [finding] };
  }
  await say({ kind: 'imported' });
  const { topology, plan } = loaded;
  const bindings = await bindTopology(input, remoteGraph(() => undefined).database);
  const { connectors, tables } = notingTables(bindings.connectors, input.file);
  const found = await checkJob({
    topology,
    blobs: bindings.checkpoints,
    connectors,
    dropState: dropsOf(input, plan.name),
  });
  await say({ kind: 'tables', tables: Object.fromEntries(tables) });
  const placed = (finding: Omit<Finding, 'place'>): Finding => ({
    ...finding,
    place: placeOf(topology.placeOf?.(finding.node ?? plan.name)) ?? null,
  });
  const warnings = paneWarnings(plan).map(({ node, message, fix = '' }) =>
    placed({ kind: 'graph', node, message, fix }),
  );
  const made = input.describes === true ? { made: madeOf(topology, input.script) } : {};
  return {
    ...{ name: plan.name, nodes: plan.nodes.length },
    ...{ findings: found.map(placed), warnings, ...made },
  };
}

/** Whatever its author made of `toString`. */
const textOf = (made: UserFunction): string => Function.prototype.toString.call(made);

function madeOf(topology: Topology, script: string): MadeOf {
  const { plan } = topology;
  const read = placeReader(script);
  return {
    plan,
    slots: plan.nodes.flatMap((node) =>
      slotsOf(node).map((slot) => {
        const made = topology.resolve(node.id, slot);
        return { node: node.id, slot, text: made === undefined ? '' : textOf(made) };
      }),
    ),
    places: plan.nodes.map(({ id }) => {
      const stack = topology.placeOf?.(id);
      return { node: id, at: scriptPlaces(script, stack)[0], place: read(stack) ?? null };
    }),
  };
}

// Without a host nobody waits for the verdict.
process.once('disconnect', () => process.exit());
process.once('message', (input: TrialInput) => {
  // What nobody waits for fails here: a promise that a module left alone, or a timer.
  process.once('uncaughtException', (thrown: unknown) => {
    const place =
      placeReader(input.script)(thrown instanceof Error ? thrown.stack : undefined) ?? null;
    const message = `${input.file} started something that failed later: ${messageOf(thrown)}`;
    const fix =
      'a topology only describes what to do: await or catch it, or remove it from the modules of the topology';
    const finding = { kind: 'load', node: null, place, message, fix } as const;
    void say({ kind: 'checked', verdict: { name: null, nodes: 0, findings: [finding] } }).then(() =>
      process.exit(),
    );
  });
  void verdictOn(input)
    .then((verdict) => say({ kind: 'checked', verdict }))
    .catch((thrown: unknown) => say({ kind: 'failed', fault: faultOf(thrown) }))
    .then(() => process.exit());
});
// A main thread in a loop would not hear that the host is gone.
const watch = new Worker(new URL('./parent-watch.js', import.meta.url));
watch.once('message', () => {
  watch.unref();
  void say({ kind: 'started' });
});
