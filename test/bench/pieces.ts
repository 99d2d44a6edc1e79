/**
 * What each piece of the work on one event costs alone. Loops are long enough to be compiled; the
 * smallest of several rounds counts.
 */
import { isUtf8 } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { loadDataCheck } from '../../ingest/data-check.ts';
import { decideRoute } from '../../ingest/delivery/route.ts';
import { deriveEvent } from '../../ingest/event/attributes.ts';
import { encodeFrame, sizeOf } from '../../ingest/segment-log/frame.ts';
import { checkJson, isFault } from '../../schemas/json-scan.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom, uuidv7 } from '../../schemas/kernel/random.ts';
import { streamConfig } from '../ingest/support.ts';

const rounds = 5;
const turns = 20_000;

export function measurePieces(body: Buffer): Readonly<Record<string, number>> {
  const checked = checkJson(body);
  if (isFault(checked)) throw new Error('the bench event is no JSON');
  const stream = streamConfig('bench', 'events');
  const head = {
    receivedtime: new Date(systemClock.now()).toISOString(),
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  const newId = (): string => uuidv7(systemClock.now(), systemRandom);
  const derived = deriveEvent(body, checked, stream, head, newId);
  if ('status' in derived) throw new Error(derived.message);
  const bounds = {
    thresholdBytes: 102_400,
    kinesisRecordMaxBytes: 1_048_576,
    kafkaRecordMaxBytes: 8_388_608,
  };
  const routed = decideRoute(derived.attributes, body, bounds);
  if (routed === undefined) throw new Error('the bench event fits no path');
  const sized = sizeOf(routed.record);
  const frame = Buffer.allocUnsafe(sized.bytes);
  const check = schemaCheck(body);
  return {
    'copy of the body': time(() => Buffer.from(body)),
    'UTF-8 check (native)': time(() => isUtf8(body)),
    'JSON and UTF-8 check': time(() => checkJson(body)),
    'for comparison: JSON.parse of the same text': time(
      () => JSON.parse(body.toString()) as unknown,
    ),
    'schema at the door, where a stream asks for it (JSON.parse and Ajv)': time(() => check(body)),
    'attributes and id': time(() => deriveEvent(body, checked, stream, head, newId)),
    'route and head of the record': time(() => decideRoute(derived.attributes, body, bounds)),
    'frame, CRC-32 included': time(() => encodeFrame(frame, 0, sized, 1, 1, 1)),
    'CRC-32 of the frame (native)': time(() => crc32(frame)),
  };
}

/** A schema that says the type of every member. */
function schemaCheck(body: Buffer): (data: Buffer) => unknown {
  const members = Object.entries(JSON.parse(body.toString()) as Readonly<Record<string, unknown>>);
  const properties = Object.fromEntries(
    members.map(([name, value]) => [name, { type: typeof value }]),
  );
  const dir = mkdtempSync(join(tmpdir(), 'sluice-pieces-'));
  try {
    const schemaFile = join(dir, 'schema.json');
    writeFileSync(
      schemaFile,
      JSON.stringify({
        $id: 'https://sluice.example/bench',
        type: 'object',
        required: Object.keys(properties),
        properties,
      }),
    );
    const check = loadDataCheck(
      streamConfig('bench', 'events', { validate: { mode: 'reject', schemaFile } }),
    );
    if (check === undefined || check.misfit({ isWrapped: false }, body) !== undefined)
      throw new Error('the bench event does not fit its schema');
    return (data) => check.misfit({ isWrapped: false }, data);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function time(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    for (let turn = 0; turn < turns; turn++) work();
    best = Math.min(best, ((performance.now() - startedMs) * 1_000) / turns);
  }
  return best;
}
