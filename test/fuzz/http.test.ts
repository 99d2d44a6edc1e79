/**
 * The HTTP surface under requests that nobody would think of: each gets one well-formed and
 * documented answer, is counted as what its answer says, and leaves nothing behind. Bytes that are
 * no HTTP may get none, but harm nobody.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerCheck, Heard } from '../ingest/documented.ts';
import { answerCheck, isOfParser } from '../ingest/documented.ts';
import type { Rig } from '../ingest/support.ts';
import { mutated } from './arbitrary-bodies.ts';
import type { Asked } from './arbitrary-requests.ts';
import { bytesOf, piecesOf, someRequest } from './arbitrary-requests.ts';
import { converse } from './raw-http.ts';
import type { Totals } from './support.ts';
import {
  difference,
  expectConserved,
  fuzzRig,
  hangMs,
  parameters,
  settled,
  timeoutMs,
  totalsOf,
} from './support.ts';

let made: Rig;
let undocumented: AnswerCheck;
const seen = { kinesis: 0, kafka: 0 };

beforeAll(async () => {
  made = await fuzzRig();
  undocumented = answerCheck(await (await fetch(`${made.ingress.url}/openapi.json`)).text());
});
afterAll(async () => {
  await made.ingress.shutDown();
});

/** What an answer says became of the events: the others are not to be told from it. */
function saidBy({ method, target }: Asked, { status, headers, body }: Heard): Partial<Totals> {
  const path = target.split('?', 1)[0] ?? '';
  const isEvents =
    /^\/v1\/(?:[^/]+\/[^/]+(?:\/pixel\.gif)?|track|identify|page|screen|group|alias|batch)$/.test(
      path,
    );
  if (!isEvents || method === 'OPTIONS') return { received: 0 };
  if (headers['content-type'] === 'image/gif') return { received: 1, refused: 0 };
  if (method === 'HEAD') return { received: 1, refused: 1 };
  const said = JSON.parse(body.toString()) as {
    error?: unknown;
    accepted?: number;
    refused?: number | unknown[];
    success?: boolean;
  };
  if (said.success !== undefined)
    return { refused: Array.isArray(said.refused) ? said.refused.length : 0 };
  // A batch of Segment's is asked for again as a whole when one of its events may come again.
  if (said.error !== undefined)
    return path.split('/').length === 3 && status === 503 ? {} : { received: 1, refused: 1 };
  if (typeof said.accepted !== 'number') return { received: 1, refused: 0 };
  return { received: said.accepted + Number(said.refused), refused: Number(said.refused) };
}

describe('any request', () => {
  it(
    'gets one documented answer, is counted as that says, and leaves nothing in flight',
    async () => {
      const property = fc.asyncProperty(someRequest, async (asked) => {
        const before = totalsOf(made.ingress.counts());
        const { answers, rest, end } = await converse(made.ingress.port, piecesOf(asked), {
          answers: 1,
          quietMs: hangMs,
          isHead: () => asked.method === 'HEAD',
        });
        const [answer] = answers;
        if (answer === undefined) throw new Error(`no answer, ${end}: ${rest.toString('latin1')}`);
        expect(undocumented(asked.method, asked.target, answer)).toBeUndefined();
        await settled(made);
        expect(difference(totalsOf(made.ingress.counts()), before)).toMatchObject(
          saidBy(asked, answer),
        );
        expectConserved(made, seen);
      });
      await fc.assert(property, parameters('requests', 1_500));
    },
    timeoutMs,
  );

  it(
    'is answered in its turn when others come on its connection',
    async () => {
      const property = fc.asyncProperty(
        fc.array(someRequest, { minLength: 2, maxLength: 4 }),
        async (all) => {
          // An answer may end the connection; then what comes behind it gets none.
          const { answers } = await converse(made.ingress.port, all.map(bytesOf), {
            answers: all.length,
            quietMs: 100,
            isHead: (index) => all[index]?.method === 'HEAD',
          });
          for (const [index, answer] of answers.entries()) {
            const { method, target } = all[index] as Asked;
            expect(undocumented(method, target, answer)).toBeUndefined();
          }
          await settled(made);
          expectConserved(made, seen);
        },
      );
      await fc.assert(property, parameters('requests on one connection', 150));
    },
    timeoutMs,
  );
});

describe('any bytes', () => {
  const bytes = fc.oneof(
    { weight: 6, arbitrary: mutated(someRequest.map(bytesOf)) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((made) => Buffer.from(made)),
    },
  );

  it(
    'get well-formed answers or none, and the next request gets its own',
    async () => {
      const property = fc.asyncProperty(bytes, async (sent) => {
        const { answers } = await converse(made.ingress.port, [sent], { answers: 3, quietMs: 10 });
        for (const answer of answers) {
          if (isOfParser(answer) || answer.headers['content-type'] !== 'application/json') continue;
          JSON.parse(answer.body.toString() || '{}');
        }
        const probe: Asked = {
          method: 'POST',
          target: '/v1/a/plain',
          headers: [],
          body: Buffer.from('1'),
          chunked: false,
          cuts: [],
        };
        const { answers: own } = await converse(made.ingress.port, [bytesOf(probe)], {
          answers: 1,
          quietMs: hangMs,
        });
        expect(own[0] && undocumented('POST', probe.target, own[0])).toBeUndefined();
        expect(own.map(({ status }) => status)).toEqual([200]);
        await settled(made);
        expectConserved(made, seen);
      });
      await fc.assert(property, parameters('bytes', 400));
    },
    timeoutMs,
  );
});
