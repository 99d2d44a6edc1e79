/**
 * The served documents are what their specifications ask for, name what the ingress has, and say
 * what it answers: one answer of every kind is compared with them, and answers that they do not
 * speak of are found to be so.
 */
import asyncapiSpecs from '@asyncapi/specs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import ajvFormats from 'ajv-formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { asyncapiText, openapiText } from '../../ingest/documents/documents.ts';
import { bodies } from '../../ingest/protocols/list.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { Heard } from './documented.ts';
import { answerCheck, messageCheck } from './documented.ts';
import type { Rig } from './support.ts';
import { openAccess, rig } from './support.ts';

type Node = Readonly<Record<string, unknown>>;
const openapi = JSON.parse(openapiText) as {
  readonly paths: Readonly<Record<string, Node>>;
  readonly components: { readonly schemas: Node };
};

describe('the OpenAPI document', () => {
  it('is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(JSON.parse(openapiText));
    expect(errors).toBeUndefined();
    expect([valid, validator.version]).toEqual([true, '3.1']);
  });

  it('is found invalid when it is not', async () => {
    const { valid } = await new Validator().validate({
      ...(JSON.parse(openapiText) as object),
      paths: 1,
    });
    expect(valid).toBe(false);
  });

  it('refers to nothing that it does not have, and has nothing that it does not refer to', () => {
    const referred = new Set(
      [...openapiText.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name),
    );
    // Lines of a streamed answer, and what a stream with envelopes takes, stand in descriptions
    // only.
    const described = ['Verdict', 'Envelope'];
    expect(new Set([...referred, ...described])).toEqual(
      new Set(Object.keys(openapi.components.schemas)),
    );
  });

  it('has every content type that is read', () => {
    const operation = openapi.paths['/v1/{team}/{app}']?.['post'] as {
      readonly requestBody: { readonly content: Node };
    };
    expect(Object.keys(operation.requestBody.content).toSorted()).toEqual(
      bodies.flatMap(({ match }) => match.types).toSorted(),
    );
  });

  it('says in one way what generators of clients read: one type a schema, beside an enumeration too, and no list of one value', () => {
    expect(openapiText + asyncapiText).not.toMatch(/"type":\[|"enum":\[("[^"]*"|\d+)\]/);
    const untyped: string[] = [];
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const members = node as Node;
      if (
        (Array.isArray(members['enum']) || 'const' in members) &&
        typeof members['type'] !== 'string' &&
        !path.endsWith('/variables/scheme')
      )
        untyped.push(path);
      for (const [name, value] of Object.entries(members)) walk(value, `${path}/${name}`);
    };
    for (const text of [openapiText, asyncapiText]) walk(JSON.parse(text), '');
    // Names of members, which no generator makes a type of.
    expect(untyped.filter((path) => !path.includes('/propertyNames/'))).toEqual([]);
  });

  it('names servers', () => {
    expect(JSON.parse(openapiText)).toMatchObject({
      servers: [{ url: '/' }, { url: '{scheme}://{host}' }],
    });
    expect(JSON.parse(asyncapiText)).toMatchObject({
      servers: { plain: { protocol: 'ws' }, tls: { protocol: 'wss' } },
    });
  });

  it('gives each operation an id of its own', () => {
    const ids = [...openapiText.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(15);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('the AsyncAPI document', () => {
  it('is valid by the schema of AsyncAPI 3.0, which finds it invalid when it is not', () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    ajvFormats.default(ajv);
    const validate = ajv.compile(asyncapiSpecs.schemasWithoutId['3.0.0'] as object);
    const document = JSON.parse(asyncapiText) as Node;
    validate(document);
    expect(validate.errors).toBeNull();
    expect(validate({ ...document, operations: { x: { action: 'shout' } } })).toBe(false);
  });
});

describe('an answer', () => {
  let made: Rig;
  const undocumented = answerCheck(openapiText);
  beforeEach(async () => {
    const access = { ...openAccess, openSegmentStream: 'a/plain' };
    made = await rig({ bodyMaxBytes: 16_384, addressQuota: undefined }, 1_000, systemClock, {
      access,
    });
  });
  afterEach(async () => {
    await made.ingress.shutDown();
  });

  async function ask(
    method: string,
    path: string,
    body?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Heard> {
    const carries = method === 'GET' || method === 'HEAD' ? {} : { body: body ?? '' };
    const answer = await fetch(`${made.ingress.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...carries,
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: Buffer.from(await answer.arrayBuffer()),
    };
  }

  const ndjson = { 'content-type': 'application/x-ndjson' };
  const longLines = `${'{"n":1}\n'.repeat(limits.requestEventsMax + 1)}{\n`;
  const cases: readonly (readonly [
    what: string,
    status: number,
    method: string,
    path: string,
    body?: string,
    headers?: Readonly<Record<string, string>>,
  ])[] = [
    ['an event', 200, 'POST', '/v1/a/plain', '{"n":1}', { 'x-client-timestamp': '1' }],
    ['a large event', 200, 'POST', '/v1/a/plain', JSON.stringify('x'.repeat(2_000))],
    ['a batch', 200, 'POST', '/v1/a/plain', '[1,2]'],
    ['a batch in part refused', 207, 'POST', '/v1/a/wrapped', '[{"data":1},{}]'],
    ['a batch that is refused', 400, 'POST', '/v1/a/wrapped', '[{},{}]'],
    ['lines', 200, 'POST', '/v1/a/plain', '1\n2\n', ndjson],
    ['many lines, a broken one among them', 207, 'POST', '/v1/a/plain', longLines, ndjson],
    [
      'a CloudEvent',
      200,
      'POST',
      '/v1/a/plain',
      '1',
      { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' },
    ],
    ['no JSON', 400, 'POST', '/v1/a/plain', '{'],
    ['an empty batch', 400, 'POST', '/v1/a/plain', '[]'],
    ['an unknown content type', 400, 'POST', '/v1/a/plain', '1', { 'content-type': 'image/png' }],
    [
      'a content type that every object has',
      400,
      'POST',
      '/v1/a/plain',
      '1',
      { 'content-type': 'constructor' },
    ],
    ['an unknown encoding', 400, 'POST', '/v1/a/plain', '1', { 'content-encoding': 'zstd' }],
    [
      'an encoding that every object has',
      400,
      'POST',
      '/v1/a/plain',
      '1',
      { 'content-encoding': 'constructor' },
    ],
    [
      'lines in an encoding that every object has',
      400,
      'POST',
      '/v1/a/plain',
      '1',
      { ...ndjson, 'content-encoding': '__proto__' },
    ],
    [
      'a body that does not inflate',
      400,
      'POST',
      '/v1/a/plain',
      '1',
      { 'content-encoding': 'gzip' },
    ],
    ['a stream of nobody', 404, 'POST', '/v1/a/none', '1'],
    ['a stream of the instance', 403, 'POST', '/v1/sluice/ledger', '1'],
    ['too large a body', 413, 'POST', '/v1/a/plain', 'x'.repeat(16_385)],
    ['another method', 405, 'PUT', '/v1/a/plain', '1'],
    ['another path', 404, 'GET', '/v2'],
    ['a pixel', 200, 'GET', '/v1/a/plain/pixel.gif?a=b'],
    ['a pixel without a query', 200, 'GET', '/v1/a/plain/pixel.gif'],
    ['a pixel of no JSON', 400, 'GET', '/v1/a/plain/pixel.gif?data='],
    ['another method for a pixel', 405, 'POST', '/v1/a/plain/pixel.gif', '1'],
    ['warnings', 200, 'GET', '/v1/a/plain/warnings'],
    ['a message of Segment', 200, 'POST', '/v1/page', '{"userId":"u"}'],
    ['a message of Segment that is refused', 400, 'POST', '/v1/track', '{"userId":"u"}'],
    ['a message of Segment that is no JSON', 400, 'POST', '/v1/track', '{"writeKey":"x'],
    [
      'a batch of Segment',
      200,
      'POST',
      '/v1/batch',
      '{"batch":[{"type":"page","userId":"u"},{"type":"page"}]}',
    ],
    ['a batch of Segment that is refused', 400, 'POST', '/v1/batch', '{"batch":[{"type":"page"}]}'],
    ['a WebSocket without a handshake', 426, 'GET', '/v1/a/plain/ws'],
    ['life', 200, 'GET', '/healthz'],
    ['life, asked by HEAD', 200, 'HEAD', '/healthz'],
    ['readiness', 200, 'GET', '/readyz'],
    ['this document', 200, 'GET', '/openapi.json'],
    ['the other document', 200, 'GET', '/asyncapi.json'],
    ['another method for a document', 405, 'POST', '/openapi.json', '1'],
  ];

  for (const [what, status, method, path, body, headers] of cases) {
    it(`to ${what} is ${status}, as documented`, async () => {
      const heard = await ask(method, path, body, headers);
      expect(undocumented(method, path, heard)).toBeUndefined();
      expect(heard.status).toBe(status);
    });
  }

  it('to an event whose id was accepted with other content is 409, as documented', async () => {
    const segment = (event: string): string =>
      JSON.stringify({ type: 'track', userId: 'u', messageId: 'm', event });
    for (const [method, path, first, second] of [
      ['POST', '/v1/a/wrapped', '{"id":"1","data":1}', '{"id":"1","data":2}'],
      ['POST', '/v1/a/wrapped', '[{"id":"2","data":1}]', '[{"id":"2","data":2}]'],
      ['GET', '/v1/a/plain/pixel.gif?id=3&a=1', '', '/v1/a/plain/pixel.gif?id=3&a=2'],
      ['POST', '/v1/track', segment('e'), segment('f')],
      ['POST', '/v1/batch', `{"batch":[${segment('e')}]}`, `{"batch":[${segment('g')}]}`],
    ] as const) {
      expect((await ask(method, path, first)).status).toBe(200);
      const heard = method === 'GET' ? await ask(method, second) : await ask(method, path, second);
      expect(undocumented(method, path, heard)).toBeUndefined();
      expect(heard.status).toBe(409);
    }
  });

  it.each(['kinesis', 'kafka'] as const)(
    'about what %s refuses, or may have, is as documented',
    async (path) => {
      const outcomes = [
        { kind: 'refused', code: 'stream-refused', message: 'never', retryable: false },
        { kind: 'unknown', code: 'stream-refused', message: 'perhaps' },
      ] as const;
      const event = JSON.stringify('x'.repeat(path === 'kafka' ? 2_000 : 1));
      for (const outcome of outcomes) {
        made[path].decide = () => outcome;
        for (const [target, body] of [
          ['/v1/a/plain', event],
          ['/v1/a/plain', `[${event},${event}]`],
          ['/v1/a/plain/pixel.gif', ''],
          ['/v1/page', `{"userId":"u","context":${event}}`],
          ['/v1/batch', `{"batch":[{"type":"page","userId":"u","context":${event}}]}`],
        ] as const) {
          const method = target.endsWith('.gif') ? 'GET' : 'POST';
          expect(undocumented(method, target, await ask(method, target, body))).toBeUndefined();
        }
      }
    },
  );

  it('while the instance stops is as documented', async () => {
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const pending = ask('POST', '/v1/a/plain', '1');
    while (made.actions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const draining = made.ingress.shutDown();
    open();
    const heard = await pending;
    expect(undocumented('POST', '/v1/a/plain', heard)).toBeUndefined();
    expect(heard.status).toBe(200);
    await draining;
  });

  it.each([
    ['another status', 201, 'application/json', '{}'],
    ['another content type', 200, 'text/html', '{}'],
    [
      'a member that is not named',
      200,
      'application/json',
      '{"id":"1","route":"kinesis","more":1}',
    ],
    ['a member that is missing', 200, 'application/json', '{"id":"1"}'],
    ['no JSON', 200, 'application/json', '{'],
    ['an error without a code', 400, 'application/json', '{"error":{"message":"no"}}'],
    [
      'a refusal to wait for that does not say how long',
      503,
      'application/json',
      '{"error":{"code":"x","message":"no"}}',
    ],
  ])('with %s is found undocumented', (_what, status, type, body) => {
    const headers = { 'content-type': type, 'x-request-id': 'r' };
    expect(
      undocumented('POST', '/v1/a/plain', { status, headers, body: Buffer.from(body) }),
    ).toBeTypeOf('string');
  });
});

describe('a message of the server', () => {
  it('is as documented, and is found undocumented when it is not', async () => {
    const undocumented = messageCheck(asyncapiText);
    const made = await rig();
    const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`);
    const messages: unknown[] = [];
    const sent = [
      '{"ref":"a","data":1}',
      '{"ref":7,"data":1,"id":"x"}',
      '{"ref":8,"data":1,"id":"x"}',
      '{',
      '{"ref":[]}',
      '{"ref":"b"}',
    ];
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.on('message', (raw: Buffer) => {
        if (messages.push(JSON.parse(raw.toString())) === 1)
          for (const each of sent) socket.send(each);
        if (messages.length > sent.length) resolve();
      });
    });
    socket.terminate();
    const [hello, ...acknowledgements] = messages;
    expect(undocumented('Hello', hello)).toBeUndefined();
    for (const each of acknowledgements)
      expect(undocumented('Acknowledgement', each)).toBeUndefined();
    for (const each of sent.slice(0, 3))
      expect(undocumented('Event', JSON.parse(each))).toBeUndefined();
    expect(undocumented('Acknowledgement', { ref: 1, status: 200 })).toBeTypeOf('string');
    expect(undocumented('Hello', {})).toBeTypeOf('string');
    await made.ingress.shutDown();
  });
});
