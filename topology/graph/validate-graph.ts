/**
 * Every problem of a graph at once, in the field's words, with the node it belongs to. Pure; an empty list means that the engine takes it.
 */
import type { Graph, GraphNode, GraphProblem, Topology } from './graph.ts';
import { slotsOf } from './graph.ts';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._/~-]{0,127}$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const tablePattern = /^[a-z][a-z0-9_]{0,62}$/;
const reservedTables = new Set(['rejected']);

/** The problems of a topology: of its options, of its graph, and of functions that are missing. */
export function validateTopology(topology: Topology): readonly GraphProblem[] {
  const missing = topology.graph.nodes.flatMap((node) =>
    slotsOf(node)
      .filter((slot) => typeof topology.resolve(node.id, slot) !== 'function')
      .map((slot) => ({ node: node.id, message: `its ${slot} must be a function` })),
  );
  return [...topology.problems, ...validateGraph(topology.graph), ...missing];
}

export function validateGraph(graph: Graph): readonly GraphProblem[] {
  const problems: GraphProblem[] = [];
  const report = (node: string, message: string): void => void problems.push({ node, message });

  if (!namePattern.test(graph.name)) report(graph.name, 'a topology name is 1 to 64 of A-Z a-z 0-9 . _ -');
  if (!Number.isInteger(graph.version) || graph.version < 1) report(graph.name, `version must be an integer from 1, not ${graph.version}`);
  if (!namePattern.test(graph.owner.team) || !namePattern.test(graph.owner.app)) report(graph.name, "owner must be 'team/app'");
  if (!graph.nodes.some((node) => node.kind === 'source')) report(graph.name, 'there is no source');
  if (!graph.nodes.some((node) => node.kind === 'sink')) report(graph.name, 'there is no sink: nothing would be kept');

  const byId = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    if (!idPattern.test(node.id)) report(node.id, 'an id is 1 to 128 of A-Z a-z 0-9 . _ / ~ -, starting with a letter or digit');
    if (byId.has(node.id)) report(node.id, 'the id is taken twice; ids name state in checkpoints and must be unique');
    for (const input of node.inputs) {
      const from = byId.get(input.node);
      if (from === undefined) report(node.id, `its input '${input.node}' is no earlier node of this topology`);
      else if (!from.outputs.includes(input.port)) report(node.id, `'${input.node}' has no output '${input.port}'`);
    }
    byId.set(node.id, node);
  }
  for (const node of graph.nodes) checkNode(node, byId, report);
  checkConsumed(graph, report);
  checkTables(graph, report);
  return problems;
}

type Report = (node: string, message: string) => void;

function checkNode(node: GraphNode, byId: ReadonlyMap<string, GraphNode>, report: Report): void {
  switch (node.kind) {
    case 'source':
      if (!/^[^/]+\/[^/]+$/.test(node.stream)) report(node.id, `its stream must be 'team/app', not '${node.stream}'`);
      return;
    case 'validate':
      if (node.schemas.length === 0) report(node.id, 'it has no schema');
      return;
    case 'eventTime':
      if (upstream(node, byId).some((from) => from.kind === 'eventTime')) {
        report(node.id, 'event time is already set upstream; one eventTime per way from a source');
      }
      return;
    case 'deduplicate':
      if (!upstream(node, byId).some((from) => from.kind === 'eventTime')) {
        report(node.id, 'deduplicate forgets by event time: put eventTime() before it');
      }
      if (node.withinMs < 1) report(node.id, 'within must be at least 1 ms');
      return;
    case 'split':
      if (node.outputs.length < 2) report(node.id, 'a split needs at least one named condition');
      return;
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'sink':
      return;
  }
}

function upstream(node: GraphNode, byId: ReadonlyMap<string, GraphNode>): readonly GraphNode[] {
  const found = new Map<string, GraphNode>();
  const visit = (from: GraphNode): void => {
    for (const input of from.inputs) {
      const next = byId.get(input.node);
      if (next === undefined || next === from || found.has(next.id)) continue;
      found.set(next.id, next);
      visit(next);
    }
  };
  visit(node);
  return [...found.values()];
}

/** A stream that nobody reads is a mistake: at a side output the elements would vanish, elsewhere the work would. */
function checkConsumed(graph: Graph, report: Report): void {
  const consumed = new Set(graph.nodes.flatMap((node) => node.inputs.map((input) => `${input.node}\n${input.port}`)));
  for (const node of graph.nodes) {
    for (const port of node.outputs) {
      if (consumed.has(`${node.id}\n${port}`)) continue;
      if (node.kind === 'split' && port === 'rest') continue;
      report(node.id, `its output '${port}' is not consumed; give it a sink or do not ask for it`);
    }
  }
}

function checkTables(graph: Graph, report: Report): void {
  const owners = new Map<string, string>();
  for (const node of graph.nodes) {
    if (node.kind !== 'sink' || node.sink.kind !== 'table') continue;
    const { table, schema, partitionBy } = node.sink;
    if (!tablePattern.test(table))
      report(node.id, `a table name is lower-case letters, digits and _, starting with a letter, not '${table}'`);
    if (reservedTables.has(table)) report(node.id, `the table '${table}' is kept by Sluice itself`);
    const other = owners.get(table);
    if (other !== undefined) report(node.id, `the table '${table}' already has the sink '${other}'`);
    owners.set(table, node.id);
    const properties = schema['properties'];
    if (schema['type'] !== 'object' || typeof properties !== 'object' || properties === null) {
      report(node.id, `the schema of table '${table}' must describe an object with properties: they are its columns`);
      continue;
    }
    for (const column of ['date', 'hour'] as const) {
      if (partitionBy.includes(column) && column in properties) {
        report(node.id, `the column '${column}' is ambiguous: the table is partitioned by the element's own ${column}`);
      }
    }
    if (new Set(partitionBy).size !== partitionBy.length) report(node.id, 'partitionBy names a column twice');
  }
}
