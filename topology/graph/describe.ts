/**
 * A graph for people: JSON, Mermaid (https://mermaid.js.org/syntax/flowchart.html) and DOT
 * (https://graphviz.org/doc/info/lang.html).
 */
import type { Graph, GraphNode, SinkDefinitionData, WindowShape } from './graph.ts';
import { outPort } from './graph.ts';

export type GraphFormat = 'json' | 'mermaid' | 'dot';

export function describeGraph(graph: Graph, format: GraphFormat = 'json'): string {
  switch (format) {
    case 'json':
      return JSON.stringify(graph, null, 2);
    case 'mermaid':
      return mermaid(graph);
    case 'dot':
      return dot(graph);
  }
}

/** What a node does, in a few words. */
function summaryOf(node: GraphNode): string {
  switch (node.kind) {
    case 'source':
      return `source ${node.stream}`;
    case 'validate':
      return `validate ${node.schemas.map((schema) => schema.id).join(', ')}`;
    case 'eventTime':
      return `eventTime, out of order by ${node.outOfOrdernessMs} ms`;
    case 'deduplicate':
      return `deduplicate within ${node.withinMs} ms`;
    case 'sink':
      return sinkText(node.sink);
    case 'window':
      return `${shapeText(node.window)} by key: ${node.aggregates.map(({ name, agg }) => `${name} ${agg}`).join(', ')}`;
    case 'intervalJoin':
      return `${node.join} interval join by key, right - left from ${node.lowerMs} to ${node.upperMs} ms`;
    case 'lookup':
      return node.lookup.from === 'file'
        ? `lookup in ${node.lookup.file}`
        : `lookup by ${node.lookup.from} ${node.lookup.name}`;
    case 'process':
      return `process by key${node.state.length === 0 ? '' : `: ${node.state.map(({ name, type }) => `${name} ${type}`).join(', ')}`}`;
    case 'union':
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'split':
      return node.kind;
  }
}

function shapeText(window: WindowShape): string {
  switch (window.type) {
    case 'tumbling':
      return `tumbling ${window.sizeMs} ms`;
    case 'sliding':
      return `sliding ${window.sizeMs} ms every ${window.slideMs} ms`;
    case 'session':
      return `session, gap ${window.gapMs} ms`;
  }
}

function sinkText(sink: SinkDefinitionData): string {
  switch (sink.kind) {
    case 'table':
      return `table ${sink.table}${sink.upsert === undefined ? '' : `, latest by ${sink.upsert.join(', ')}`}`;
    case 'graph': {
      const { nodes, edges } = sink.model;
      return `graph: ${[...Object.keys(nodes), ...Object.entries(edges).map(([type, { from, to }]) => `${from}-${type}-${to}`)].join(', ')}`;
    }
    case 'rejected':
    case 'collect':
      return sink.kind;
  }
}

function mermaid(graph: Graph): string {
  const number = new Map(graph.nodes.map((node, index) => [node.id, index]));
  const text = (value: string): string => value.replaceAll('"', '#quot;');
  const lines = graph.nodes.map((node, index) => {
    const label = `"${text(node.id)}<br/>${text(summaryOf(node))}"`;
    if (node.kind === 'source') return `  n${index}([${label}])`;
    return node.kind === 'sink' ? `  n${index}[(${label})]` : `  n${index}[${label}]`;
  });
  const edges = graph.nodes.flatMap((node, index) =>
    node.inputs.map((input) => {
      const arrow = input.port === outPort ? '-->' : `-->|${text(input.port)}|`;
      return `  n${number.get(input.node)} ${arrow} n${index}`;
    }),
  );
  return ['flowchart LR', ...lines, ...edges, ''].join('\n');
}

function dot(graph: Graph): string {
  const quote = (value: string): string =>
    `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const lines = graph.nodes.map(
    (node) =>
      `  ${quote(node.id)} [label=${quote(`${node.id}\n${summaryOf(node)}`).replaceAll('\n', '\\n')}];`,
  );
  const edges = graph.nodes.flatMap((node) =>
    node.inputs.map((input) => {
      const label = input.port === outPort ? '' : ` [label=${quote(input.port)}]`;
      return `  ${quote(input.node)} -> ${quote(node.id)}${label};`;
    }),
  );
  return [`digraph ${quote(graph.name)} {`, '  rankdir=LR;', ...lines, ...edges, '}', ''].join(
    '\n',
  );
}
