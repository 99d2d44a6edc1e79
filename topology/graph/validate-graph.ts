/**
 * Every problem of a graph at once, in the field's words, with the node it belongs to. Pure; an
 * empty list means that the engine takes it.
 */
import { limits } from '../../schemas/limits.ts';
import type {
  Graph,
  GraphNode,
  GraphProblem,
  LookupCall,
  LookupFile,
  NodeInput,
  Topology,
  WindowNode,
} from './graph.ts';
import { slotsOf } from './graph.ts';
import type { GraphModel } from './graph-model.ts';
import { modelClashes, modelProblems } from './graph-model.ts';
import { isPropertyName, nameProblems } from './names.ts';
import { tableProblems } from './table-problems.ts';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._/~-]{0,127}$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The problems of a topology: of its options, of its graph, and of functions that are missing. */
export function validateTopology(topology: Topology): readonly GraphProblem[] {
  const missing = topology.graph.nodes.flatMap((node) =>
    slotsOf(node)
      .filter((slot) => typeof topology.resolve(node.id, slot) !== 'function')
      .map((slot) => ({
        node: node.id,
        message: `its ${slot} must be a function`,
        fix: `give it a function for ${slot}`,
      })),
  );
  return [...topology.problems, ...validateGraph(topology.graph), ...missing];
}

export function validateGraph(graph: Graph): readonly GraphProblem[] {
  const problems: GraphProblem[] = [];
  const report: Report = (node, message, fix) =>
    void problems.push(fix === undefined ? { node, message } : { node, message, fix });

  if (!namePattern.test(graph.name))
    report(
      graph.name,
      'a topology name is 1 to 64 of A-Z a-z 0-9 . _ -',
      'rename it: the first argument of topology()',
    );
  if (!Number.isInteger(graph.version) || graph.version < 1)
    report(
      graph.name,
      `version must be an integer from 1, not ${graph.version}`,
      'write version: 1',
    );
  if (!namePattern.test(graph.owner.team) || !namePattern.test(graph.owner.app))
    report(
      graph.name,
      "owner must be 'team/app'",
      "write who answers for it, such as owner: 'shop/promo'",
    );
  if (!graph.nodes.some((node) => node.kind === 'source'))
    report(
      graph.name,
      'there is no source',
      "read a stream: t.source('clicks', stream('team/app'))",
    );
  if (!graph.nodes.some((node) => node.kind === 'sink'))
    report(
      graph.name,
      'there is no sink: nothing would be kept',
      "give its results a sink: sinkTo('rows', table(...))",
    );

  const byId = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    if (!idPattern.test(node.id))
      report(
        node.id,
        'an id is 1 to 128 of A-Z a-z 0-9 . _ / ~ -, starting with a letter or digit',
        'rename the node',
      );
    if (byId.has(node.id))
      report(
        node.id,
        'the id is taken twice; ids name state in checkpoints and must be unique',
        'rename one of the two nodes',
      );
    for (const input of node.inputs) {
      const from = byId.get(input.node);
      if (from === undefined)
        report(
          node.id,
          `its input '${input.node}' is no earlier node of this topology`,
          'use streams of the same topology() call only',
        );
      else if (!from.outputs.includes(input.port))
        report(
          node.id,
          `'${input.node}' has no output '${input.port}'`,
          `use one of its outputs: ${from.outputs.join(', ')}`,
        );
    }
    byId.set(node.id, node);
  }
  for (const node of graph.nodes) checkNode(node, byId, report);
  checkConsumed(graph, report);
  checkModels(graph, report);
  return [...problems, ...tableProblems(graph), ...nameProblems(graph)];
}

type Report = (node: string, message: string, fix?: string) => void;

function checkNode(node: GraphNode, byId: ReadonlyMap<string, GraphNode>, report: Report): void {
  switch (node.kind) {
    case 'source':
      if (!/^[^/]+\/[^/]+$/.test(node.stream))
        report(
          node.id,
          `its stream must be 'team/app', not '${node.stream}'`,
          "write stream('team/app')",
        );
      return;
    case 'validate':
      if (node.schemas.length === 0)
        report(node.id, 'it has no schema', 'give it a schema, or oneOf() of several');
      return;
    case 'eventTime':
      if (upstream(node, byId).some((from) => from.kind === 'eventTime')) {
        report(
          node.id,
          'event time is already set upstream; one eventTime per way from a source',
          'remove this one or the one before',
        );
      }
      return;
    case 'deduplicate':
      requireTime(node, byId, report, 'deduplicate forgets by event time');
      if (node.withinMs < 1)
        report(
          node.id,
          'within must be at least 1 ms',
          "write how long repeats may come, such as within: '1h'",
        );
      return;
    case 'window':
      requireTime(node, byId, report, 'a window fires by event time');
      checkWindow(node, report);
      return;
    case 'intervalJoin':
      requireTime(node, byId, report, 'an interval join compares event times');
      if (node.lowerMs > node.upperMs) {
        report(
          node.id,
          `its interval is empty: the lower bound ${node.lowerMs} ms is above the upper bound ${node.upperMs} ms`,
          'swap the bounds: both are right minus left, the lower one first',
        );
      }
      return;
    case 'process':
      requireTime(node, byId, report, 'timers and their outputs have event time');
      for (const { name } of node.state) {
        if (!isPropertyName(name))
          report(
            node.id,
            `a state's name is letters, digits, _ and $, not '${name}'`,
            'rename the state',
          );
      }
      return;
    case 'union':
      if (new Set(node.inputs.map((input) => hasTime(input, byId))).size > 1) {
        report(
          node.id,
          'some of its inputs have event time and others not: put eventTime() before each, or none',
          'put eventTime() before each input, or before none',
        );
      }
      return;
    case 'lookup':
      checkLookup(node.id, node.lookup, report);
      return;
    case 'split':
      if (node.outputs.length < 2)
        report(
          node.id,
          'a split needs at least one named condition',
          'name a condition: split({ large: (x) => ... })',
        );
      return;
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'sink':
      return;
  }
}

function checkWindow(node: WindowNode, report: Report): void {
  const { window } = node;
  switch (window.type) {
    case 'tumbling':
      if (Math.abs(window.offsetMs) >= window.sizeMs) {
        report(
          node.id,
          `the offset ${window.offsetMs} ms must be less than the window's size ${window.sizeMs} ms`,
          'write the offset as a part of one window, or leave it out',
        );
      }
      break;
    case 'sliding':
      if (Math.abs(window.offsetMs) >= window.slideMs) {
        report(
          node.id,
          `the offset ${window.offsetMs} ms must be less than the slide ${window.slideMs} ms`,
          'write the offset as a part of one slide, or leave it out',
        );
      }
      if (window.sizeMs / window.slideMs > limits.windowsPerElementMax) {
        report(
          node.id,
          `an element would be in ${Math.ceil(window.sizeMs / window.slideMs)} windows; at most ${limits.windowsPerElementMax}`,
          'choose a larger slide or a smaller size',
        );
      }
      break;
    case 'session':
      break;
  }
  if (node.aggregates.length === 0)
    report(node.id, 'it has no aggregate', 'name one: aggregate({ rows: count() })');
  for (const { name } of node.aggregates) {
    if (!isPropertyName(name))
      report(
        node.id,
        `an aggregate's name is a property of rows: letters, digits, _ and $, not '${name}'`,
        'rename the aggregate',
      );
    if (windowColumns.has(name))
      report(
        node.id,
        `an aggregate cannot be named '${name}': every result of a window has that already`,
        'rename the aggregate',
      );
  }
}

const windowColumns = new Set(['key', 'windowStart', 'windowEnd', 'pane']);

function checkLookup(node: string, lookup: LookupFile | LookupCall, report: Report): void {
  if (lookup.from === 'file') {
    const properties = lookup.schema.document['properties'];
    if (
      typeof properties !== 'object' ||
      properties === null ||
      !Object.hasOwn(properties, lookup.key)
    ) {
      report(
        node,
        `the key '${lookup.key}' of ${lookup.file} is no property of its schema`,
        'name a property of its rows as key, or add this one to the schema',
      );
    }
    return;
  }
  const { capacity, attempts, cacheMaxEntries, timeoutMs } = lookup;
  const whole = (option: string, found: number, least: number, most: number): void => {
    if (!Number.isInteger(found) || found < least || found > most) {
      report(
        node,
        `${option} must be an integer from ${least} to ${most}, not ${found}`,
        `write ${option} within these bounds`,
      );
    }
  };
  whole('capacity', capacity, 1, limits.lookupCapacityMax);
  whole('retry.attempts', attempts, 1, limits.lookupAttemptsMax);
  whole('cache.maxEntries', cacheMaxEntries, 0, limits.lookupCacheMaxEntries);
  if (timeoutMs < 1)
    report(
      node,
      'timeout must be at least 1 ms',
      "write how long one try may take, such as timeout: '5s'",
    );
}

/** Whether every way to an input passes an eventTime. */
function hasTime(input: NodeInput, byId: ReadonlyMap<string, GraphNode>): boolean {
  const node = byId.get(input.node);
  if (node === undefined || node.kind === 'source') return false;
  if (node.kind === 'eventTime') return true;
  return node.inputs.every((from) => from.node !== node.id && hasTime(from, byId));
}

function requireTime(
  node: GraphNode,
  byId: ReadonlyMap<string, GraphNode>,
  report: Report,
  why: string,
): void {
  if (!node.inputs.every((input) => hasTime(input, byId)))
    report(
      node.id,
      `${why}: put eventTime() before it`,
      "put eventTime('time', (e) => e.time, { outOfOrderness: '10s' }) before it",
    );
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

/**
 * A stream that nobody reads is a mistake: at a side output the elements would vanish, elsewhere
 * the work would.
 */
function checkConsumed(graph: Graph, report: Report): void {
  const consumed = new Set(
    graph.nodes.flatMap((node) => node.inputs.map((input) => `${input.node}\n${input.port}`)),
  );
  for (const node of graph.nodes) {
    for (const port of node.outputs) {
      if (consumed.has(`${node.id}\n${port}`)) continue;
      if (node.kind === 'split' && port === 'rest') continue;
      report(
        node.id,
        `its output '${port}' is not consumed; give it a sink or do not ask for it`,
        `add .${port === 'out' ? '' : `${port}.`}sinkTo(...), or take out what asks for it`,
      );
    }
  }
}

/** Several sinks may write into one graph, as long as they mean the same by a name. */
function checkModels(graph: Graph, report: Report): void {
  const checked: (readonly [node: string, model: GraphModel])[] = [];
  for (const node of graph.nodes) {
    if (node.kind !== 'sink' || node.sink.kind !== 'graph') continue;
    const { model } = node.sink;
    for (const problem of modelProblems(model))
      report(node.id, problem, 'correct the model that graph() is given');
    for (const [other, known] of checked) {
      for (const name of modelClashes(model, known))
        report(
          node.id,
          `its graph model defines '${name}' otherwise than the sink '${other}'`,
          'define it once and use it in both models, or rename it',
        );
    }
    checked.push([node.id, model]);
  }
}
