/**
 * `sluice graph`: Cypher over the graph, as a table or as JSON rows. The running instance is asked
 * where there is one, because the file has one owner, and answers from a copy; else the file itself
 * is read, by a process that ends with the question.
 */
import { resolve } from 'node:path';
import type { Answer } from '../../../../enrich/answer.ts';
import { requireQuestion } from '../../../../enrich/graph/ladybug/ask-ladybug.ts';
import { renderTable } from '../../../../enrich/lake/query.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import type { GraphQuestion } from '../../../host/commands.ts';
import { findInstance } from '../../../host/instance.ts';
import { graphFile } from '../../../host/layout.ts';
import { askInChild } from '../../../host/question-process.ts';
import type { GraphAnswer } from '../../../local/graph-owner.ts';
import { requireGraph } from '../../../local/graph-owner.ts';
import { cutNote, jsonRows } from '../../answer.ts';
import { commandInstance } from '../../ask.ts';
import type { Output } from '../../output.ts';

/**
 * Throws `SluiceError` `graph-missing`, `query-failed`, `graph-native-missing`, `not-reachable`.
 */
export async function graphCommand(
  statement: string,
  dir: string,
  output: Output,
  clock: Clock,
): Promise<number> {
  const answer = await ask(statement, dir, clock);
  if (output.json) output.line(jsonRows(answer));
  else output.line(renderTable(answer).trimEnd());
  const cut = cutNote(answer, 'LIMIT and SKIP choose others, count(*) counts them');
  if (cut !== undefined) output.note(cut);
  // For a person: a program gets rows and nothing else.
  if ('asOf' in answer && !output.json) output.note(`as of ${answer.asOf}`);
  return 0;
}

async function ask(statement: string, dir: string, clock: Clock): Promise<Answer | GraphAnswer> {
  const question: GraphQuestion = { statement };
  if ((await findInstance(dir)) !== undefined)
    return (await commandInstance(dir, '/_sluice/graph', question)) as GraphAnswer;
  const file = resolve(graphFile(dir));
  requireQuestion(statement);
  requireGraph(file);
  return askInChild({ kind: 'graph', file, statement }, { clock });
}
