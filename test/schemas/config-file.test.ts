/**
 * Configuration: the seed's form as it stands, defaults, interpolation, and every problem at once
 * with its line.
 */
import { describe, expect, it } from 'vitest';
import { configTable } from '../../schemas/config/table.ts';
import type { ConfigResult } from '../../schemas/config-file.ts';
import { loadConfig, parseConfig } from '../../schemas/config-file.ts';
import { namesIn } from '../said.ts';

const seed = `streams:
  - team: rpp
    app: promo-clicks
    kinesis_stream: rpp-promo-clicks-dev
    kafka_topic: rpp-promo-clicks-dev
routing:
  large_message_threshold_kb: 100      # 1 kb = 1024 bytes
`;
const parse = (text: string, env: Record<string, string> = {}): ConfigResult =>
  parseConfig(text, { file: 'sluice.yaml', env, baseDir: '/base' });
const problems = (text: string, env: Record<string, string> = {}): readonly string[] => {
  const result = parse(text, env);
  return result.ok
    ? []
    : result.problems.map(
        (problem) => `${problem.line} ${problem.path}: ${problem.message}; ${problem.expected}`,
      );
};

/** The keys that a section may have, as the table lists them. */
const keysOf = (section: { readonly properties?: object } | undefined): string =>
  Object.keys(section?.properties ?? {}).join(', ');
const { routing, streams } = configTable.properties;

describe('configuration', () => {
  it('takes the form of the seed as it stands, and defaults for all else', () => {
    const result = parse(seed);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config.streams).toMatchObject([
      {
        team: 'rpp',
        app: 'promo-clicks',
        name: 'rpp/promo-clicks',
        kinesisStream: 'rpp-promo-clicks-dev',
        kafkaTopic: 'rpp-promo-clicks-dev',
        envelope: 'none',
        event: {},
        ack: 'replicated',
        whenDown: 'refuse',
        order: 'none',
        aggregate: 'none',
      },
    ]);
    expect(result.config.routing.largeMessageThresholdBytes).toBe(102_400);
    expect(result.config.ingress).toMatchObject({ host: '127.0.0.1', port: 8_080 });
    expect(result.origins).toContainEqual({
      path: 'streams[0].team',
      value: 'rpp',
      from: 'sluice.yaml:2',
    });
    expect(result.origins).toContainEqual({ path: 'ingress.port', value: 8_080, from: 'default' });
  });

  it('takes values from the environment, and says so', () => {
    const result = parse(`streams: [{team: a, app: "\${APP:-b}"}]\ningress:\n  port: \${PORT}\n`, {
      PORT: '9000',
    });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect([result.config.ingress.port, result.config.streams[0]?.app]).toEqual([9_000, 'b']);
    expect(result.origins).toContainEqual({
      path: 'ingress.port',
      value: 9_000,
      from: 'environment PORT (sluice.yaml:3)',
    });
    expect(problems('streams: [{team: a, app: b}]\ningress: {port: "${PORT}"}')).toEqual([
      '2 ingress.port: the environment variable PORT is not set; PORT in the environment, or ${PORT:-default}',
      '2 ingress.port: is empty; a whole number from 0 to 65535',
    ]);
  });

  it('tells all problems at once, each with its line', () => {
    expect(
      problems(`streams:
  - team: rpp
    aap: x
    envelope: cloudevents
    ack: never
routing:
  large_message_treshold_kb: 100
ingress:
  port: "eighty"
  host: [a]
foo: 1
topologies: nope
`),
    ).toEqual([
      `11 foo: unknown key; one of ${keysOf(configTable)}`,
      `3 streams[0].aap: unknown key; 'app' (did you mean that?) or another of ${keysOf(streams.items)}`,
      '2 streams[0].app: is missing; 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit',
      "4 streams[0].envelope: invalid value 'cloudevents'; none or sluice",
      "5 streams[0].ack: invalid value 'never'; replicated or spooled or buffered",
      `7 routing.large_message_treshold_kb: unknown key; 'large_message_threshold_kb' (did you mean that?) or another of ${keysOf(routing)}`,
      "9 ingress.port: invalid value 'eighty'; a whole number from 0 to 65535",
      '10 ingress.host: got a list; a host name or address',
      '12 topologies: got text; a list',
    ]);
  });

  const stream = (app: string, more = ''): string => `{team: a, app: ${app}${more}}`;
  const one = `streams: [${stream('b')}]`;
  const key = (more: string): string =>
    `keys: [{name: k, sha256: ${'a'.repeat(64)}, streams: [a/c], ${more}}]`;
  const hmac = `streams: [${stream('b', ', context: {ip: hmac}')}]`;
  type Found = readonly [place: string, ...names: readonly string[]];
  it.each<readonly [text: string, ...Found[]]>([
    // As a stream of Kinesis and a topic of Kafka, too: both have its name.
    [
      `streams: [${stream('b')}, ${stream('b')}]`,
      ['1 streams[1]', 'a/b'],
      ['1 streams[1]', 'a-b'],
      ['1 streams[1]', 'a-b'],
    ],
    [
      `streams: [${stream('b', ', kafka_topic: t')}, ${stream('c', ', kafka_topic: t')}]`,
      ['1 streams[1]', 't'],
    ],
    [`streams: [${stream('b', ', envelope: sluice, event: {id: /x}')}]`, ['1 streams[0].event']],
    [`streams: [${stream('b', ', event: {id: x}')}]`, ['1 streams[0].event.id', 'x']],
    [
      `${one}\nrouting: {large_message_threshold_kb: 1020}`,
      ['2 routing.large_message_threshold_kb'],
    ],
    [`${one}\ningress: {body_max_mb: 64}`, ['2 ingress.body_decoded_max_mb']],
    [`${one}\n${key('segment_stream: a/x')}`, ['2 keys[0].segment_stream', 'a/x']],
    [`${one}\n${key('segment_stream: a/b')}`, ['2 keys[0].segment_stream', 'a/b']],
    [`${one}\ningress: {segment_stream: a/x}`, ['2 ingress.segment_stream', 'a/x']],
    [hmac, ['1 streams[0].context.ip']],
    [`${hmac}\ningress: {address_secret: short}`, ['2 ingress.address_secret']],
    [`streams: [${stream('b', ', context: {ip: some}')}]`, ['1 streams[0].context.ip', 'some']],
    [`streams: [${stream('b', ', validate: reject')}]`, ['1 streams[0].schema']],
    [`streams: [${stream('b', ', schema: x.json')}]`, ['1 streams[0].validate']],
    ['routing: {large_message_threshold_kb: 1}', ['1 streams']],
    ['streams: []', ['1 streams']],
    ['streams:\n\t- x', ['2 ']],
    [`${one}\nstreams: []`, ['2 ']],
  ])('refuses what cannot work together: %s', (text, ...wanted) => {
    const result = parse(String(text));
    const found = result.ok ? [] : result.problems;
    expect(
      found.map(({ line, path, message }) => [`${line} ${path}`, ...namesIn(message)]),
    ).toEqual(wanted);
  });

  it('finds topologies from where the file lies', () => {
    const result = parse('streams: [{team: a, app: b}]\ntopologies: [x/y.ts]');
    expect(result.ok && result.config.topologies).toEqual(['/base/x/y.ts']);
  });

  it('reads look-ups by name, and shows no secret of theirs', () => {
    const text = `streams: [{team: a, app: b}]
lookups:
  prices:
    url: http://\${HOST:-localhost}/prices/{key}?token=\${TOKEN}
    headers:
      Authorization: Bearer \${TOKEN}
  planes: {url: 'https://planes.example/{key}'}
`;
    const result = parse(text, { TOKEN: 'secret' });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config.lookups).toEqual({
      prices: {
        from: 'http',
        url: 'http://localhost/prices/{key}?token=secret',
        headers: { authorization: 'Bearer secret' },
      },
      planes: { from: 'http', url: 'https://planes.example/{key}', headers: {} },
    });
    expect(result.origins.filter(({ path }) => path.startsWith('lookups'))).toEqual([
      {
        path: 'lookups.prices.url',
        value: 'http://${HOST:-localhost}/prices/{key}?token=${TOKEN}',
        from: 'environment TOKEN (sluice.yaml:4)',
      },
      {
        path: 'lookups.prices.headers.Authorization',
        value: '***',
        from: 'environment TOKEN (sluice.yaml:6)',
      },
      { path: 'lookups.planes.url', value: 'https://planes.example/{key}', from: 'sluice.yaml:7' },
    ]);
    expect(parse('streams: [{team: a, app: b}]')).toMatchObject({ config: { lookups: {} } });
  });

  it('refuses look-ups that cannot be asked, each with its line, and repeats no secret', () => {
    const found = problems(
      `streams: [{team: a, app: b}]
lookups:
  -prices: {url: 'http://h/{key}'}
  nothing:
  unknown: {url: 'http://h/{key}', header: {}}
  constant: {url: 'http://h/prices'}
  host: {url: 'http://{key}.example/'}
  fragment: {url: 'http://h/#{key}'}
  user: {url: 'http://u:secret@h/{key}'}
  protocol: {url: 'ftp://h/{key}'}
  list: {url: 'http://h/{key}', headers: [a]}
  secret:
    url: http://h/{key}
    headers:
      host: h
      x-key: "\${KEY}"
      x-two: 2
      X-KEY: again
`,
      { KEY: 'secret\nvalue' },
    );
    const address =
      'an http or https address with {key} in its path or query, and no user or password (headers carry those)';
    expect(found).toEqual([
      '3 lookups.-prices: invalid name; 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit',
      `4 lookups.nothing.url: is missing; ${address}`,
      "5 lookups.unknown.header: unknown key; 'headers' (did you mean that?) or another of url, headers",
      `6 lookups.constant.url: invalid value; ${address}`,
      `7 lookups.host.url: invalid value; ${address}`,
      `8 lookups.fragment.url: invalid value; ${address}`,
      `9 lookups.user.url: invalid value; ${address}`,
      `10 lookups.protocol.url: invalid value; ${address}`,
      '11 lookups.list.headers: got a list; a map by name',
      '15 lookups.secret.headers.host: invalid name; the name of a header that is not one of the connection (RFC 9110)',
      '16 lookups.secret.headers.x-key: invalid value; text of printable ASCII',
      '17 lookups.secret.headers.x-two: invalid value; text of printable ASCII',
      '18 lookups.secret.headers.X-KEY: is there already; each name once, in any case',
    ]);
    expect(problems('streams: [{team: a, app: b}]\nlookups: [prices]')).toEqual([
      '2 lookups: got a list; a map by name',
    ]);
  });

  it('says which file cannot be read', () => {
    expect(() => loadConfig('/nowhere/sluice.yaml', {})).toThrow(
      expect.objectContaining({
        code: 'config-missing',
        details: { file: '/nowhere/sluice.yaml' },
      }),
    );
  });
});
