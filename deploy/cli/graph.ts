/**
 * `sluice graph`: Cypher over the graph, as a table or as JSON rows. The running instance is asked where there is one, because the file has one
 * owner; else the file is opened to be read.
 */

import type { GraphAnswer } from '../../enrich/graph/ladybug-database.ts';
import { openLadybug } from '../../enrich/graph/ladybug-database.ts';
import { renderTable } from '../../enrich/lake/query.ts';
import type { GraphQuestion } from '../host/commands.ts';
import { findInstance } from '../host/instance.ts';
import { graphFile } from '../host/layout.ts';
import { requireGraph } from '../local/graph-owner.ts';
import { commandInstance } from './ask.ts';
import type { Output } from './output.ts';

/** Throws `SluiceError` `graph-missing`, `query-failed`, `graph-native-missing`, `not-reachable`. */
export async function graphCommand(statement: string, dir: string, output: Output): Promise<number> {
  const answer = await ask(statement, dir);
  const { columns, rows, cut } = answer;
  if (output.json)
    output.line(JSON.stringify(rows.map((row) => Object.fromEntries(row.map((value, index) => [columns[index]?.name ?? '', value])))));
  else output.line(renderTable(answer).trimEnd());
  if (cut) output.note(`there are more: these are the first ${rows.length} rows; LIMIT and SKIP choose others, count(*) counts them`);
  return 0;
}

async function ask(statement: string, dir: string): Promise<GraphAnswer> {
  const question: GraphQuestion = { statement };
  if ((await findInstance(dir)) !== undefined) return (await commandInstance(dir, '/_sluice/graph', question)) as GraphAnswer;
  const path = graphFile(dir);
  requireGraph(path);
  const graph = await openLadybug({ path, readOnly: true });
  try {
    return await graph.query(statement);
  } finally {
    await graph.close();
  }
}
