/**
 * The child process of one question: reads it from a line of standard input, answers with one line
 * of JSON, ends.
 *
 * Invariant: it ends when its standard input does, so that it does not outlive whoever asked.
 */
import { askLadybug } from '../../enrich/graph/ladybug/ask-ladybug.ts';
import { queryLake } from '../../enrich/lake/query.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Question, QuestionReply } from './question.ts';

// Not by node:readline, which on Node 24 also ends a line at U+2028, as text in JSON may have it.
let line = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', function read(chunk: string) {
  line += chunk;
  if (!chunk.includes('\n')) return;
  process.stdin.off('data', read).resume();
  void replyTo(JSON.parse(line) as Question).then((reply) =>
    process.stdout.write(JSON.stringify(reply), end),
  );
});
process.stdin.once('end', end);

async function replyTo(question: Question): Promise<QuestionReply> {
  try {
    if (question.kind === 'graph')
      return { ok: true, answer: await askLadybug(question.file, question.statement) };
    const bounds = { maxRows: question.maxRows, maxBytes: limits.queryMaxBytes };
    return { ok: true, answer: await queryLake(question.lake, question.sql, bounds) };
  } catch (thrown) {
    const known = thrown instanceof SluiceError ? thrown : undefined;
    return {
      ok: false,
      code: known?.code ?? 'defect',
      message: messageOf(thrown),
      fix: known?.fix,
    };
  }
}

/** Without the end of the databases: there is nothing that they would have to put away. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}
