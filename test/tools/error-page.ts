/**
 * docs/reference/errors.md, made of the table of codes: `npm run docs:errors` writes it anew, and
 * test/schemas/error-codes.test.ts says when it is stale.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, errorCodes } from '../../schemas/kernel/error-codes.ts';
import { root } from '../repo/files.ts';
import { generatedMark } from './house/touched.ts';

export const errorPage = 'docs/reference/errors.md';

const again = ({ retryable }: ErrorCode): string =>
  retryable === 'sometimes' ? 'sometimes' : retryable === true ? 'yes' : 'no';

const sections = {
  refused: {
    columns: ['code', 'status', 'send again', 'what it means', 'what to do'],
    row: (code: ErrorCode) => [(code.status ?? []).join(', '), again(code)],
  },
  rejected: {
    columns: ['code', 'what it means', 'what to do'],
    row: () => [],
  },
  operational: {
    columns: ['code', 'try again', 'what it means', 'what to do'],
    row: (code: ErrorCode) => [again(code)],
  },
} as const;

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function sectionOf(about: string, codes: readonly ErrorCode[]): string {
  const [first] = codes;
  if (first === undefined) throw new Error(`${about}: a section needs a code`);
  const { columns, row } = sections[first.lane];
  const rows = [...codes]
    .sort((a, b) => (a.code < b.code ? -1 : 1))
    .map((code) => {
      const { lane, means, fix } = code;
      return line([`<a id="${lane}-${code.code}"></a>\`${code.code}\``, ...row(code), means, fix]);
    });
  return [`## ${about}`, '', line(columns), line(columns.map(() => '---')), ...rows, ''].join('\n');
}

export function renderErrorPage(): string {
  const abouts = [...new Set(errorCodes.map(({ about }) => about))];
  return [
    `${generatedMark} by \`npm run docs:errors\` from schemas/kernel/error-codes.ts -->`,
    '',
    '# Error codes',
    '',
    'Every failure has a code that does not change. There are three lanes:',
    '',
    '- **Refused**: the ingress answers with a status and a code. Nothing of the event is kept.',
    '- **Rejected**: a topology puts the event into the table `rejected`, with a code.',
    '- **Operational**: something around the events fails. Commands print the code and exit with 1,',
    '  and logs have it.',
    '',
    '"Send again" and "try again" say whether the same request can succeed later, without a change.',
    '',
    ...abouts.map((about) =>
      sectionOf(
        about,
        errorCodes.filter((code) => code.about === about),
      ),
    ),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, errorPage);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, renderErrorPage());
}
