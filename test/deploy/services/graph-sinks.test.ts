/**
 * Two graph sinks of one topology, as the enrich service binds them, on Neo4j itself: a node that
 * somebody has locked holds back the sink that writes it, and not the other one. They once shared a
 * session, which has one transaction at a time.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serviceBindings } from '../../../deploy/services/service-bindings.ts';
import { parseConfig } from '../../../schemas/config-file.ts';
import type { Sink, Topology } from '../../../topology/index.ts';
import { graph, graphModel, stream, topology } from '../../../topology/index.ts';
import { writesBatch } from '../../enrich/graph/support.ts';
import { runOf } from '../../runs.ts';
import { cloudMissing } from '../../servers/cloud.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';
import { startNeo4j } from '../../servers/neo4j.ts';
import { motoRig } from '../stores/s3/support.ts';

const [left, right] = ['Left', 'Right'].map((label) =>
  graphModel({ nodes: { [label]: { key: 'n', props: { n: 'integer', times: 'integer' } } } }),
) as [ReturnType<typeof graphModel>, ReturnType<typeof graphModel>];
const two: Topology = topology('two', { version: 1, owner: 'a/b' }, (t) => {
  const events = t.source('events', stream('a/b'));
  events.sinkTo(
    'left',
    graph(left, () => []),
  );
  events.sinkTo(
    'right',
    graph(right, () => []),
  );
});
const write = (label: string, times: number) =>
  writesBatch([{ kind: 'node', label, props: { n: 1, times } }]);

describe.skipIf(cloudMissing() !== undefined)('two graph sinks of one topology', () => {
  const rig = motoRig('graph-sinks');
  let neo4j: Neo4jServer;
  beforeAll(async () => {
    neo4j = await startNeo4j();
  }, 240_000);
  afterAll(() => neo4j.stop());

  function sinks(): readonly Sink[] {
    const { place } = rig();
    const read = parseConfig(
      `streams: [{ team: a, app: b }]
kafka: { brokers: "127.0.0.1:1" }
s3: { bucket: ${place.bucket}, region: ${place.region}, endpoint: "${place.endpoint}" }
neo4j: { url: "${neo4j.url}", user: ${neo4j.user}, password: ${neo4j.password} }
`,
      { file: 'sluice.yaml', env: {}, baseDir: '/' },
    );
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    const bindings = serviceBindings({ kind: 'services', config: read.config }, 'two.ts');
    onTestFinished(() => bindings.close());
    return two.plan.nodes.flatMap((node) =>
      node.kind === 'sink' ? [bindings.connectors.sink(node, two.plan, runOf(1))] : [],
    );
  }

  it('do not wait for what the other one waits for', async () => {
    await neo4j.empty();
    const [one, other] = sinks();
    if (one === undefined || other === undefined) throw new Error('two sinks');
    for (const sink of [one, other]) await sink.open(undefined);
    const commit = async (sink: Sink, label: string, checkpoint: number): Promise<void> => {
      await sink.write(write(label, checkpoint));
      await sink.prepare(checkpoint, false);
      await sink.commit(checkpoint);
    };
    await commit(one, 'Left', 1);
    await commit(other, 'Right', 1);
    const free = await neo4j.lock('MATCH (n:Left) SET n.times = 0');
    let isDone = false;
    const locked = commit(one, 'Left', 2).then(() => {
      isDone = true;
    });
    await commit(other, 'Right', 2);
    expect(isDone).toBe(false);
    expect(await neo4j.ask('MATCH (n:Right) RETURN n.times')).toEqual([[2]]);
    await free();
    await locked;
    expect(await neo4j.ask('MATCH (n:Left) RETURN n.times')).toEqual([[2]]);
    for (const sink of [one, other]) await sink.close();
  }, 120_000);
});
