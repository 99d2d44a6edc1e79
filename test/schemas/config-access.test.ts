/**
 * Who may send, as a configuration says it: what is named twice or has a reserved name is refused
 * with its line.
 */
import { expect, it } from 'vitest';
import { parseConfig } from '../../schemas/config-file.ts';

const digest = (letter: string): string => letter.repeat(64);
const problems = (text: string): readonly string[] => {
  const result = parseConfig(text, { file: 'sluice.yaml', env: {}, baseDir: '/base' });
  return result.ok
    ? []
    : result.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
};
const streams = 'streams: [{team: a, app: x}]';

it('an issuer, the name of a key and its digest are each there once', () => {
  const text = `${streams}
keys:
  - {name: one, sha256: ${digest('a')}, streams: [a/x]}
  - {name: two, sha256: ${digest('a')}, streams: [a/x]}
  - {name: one, sha256: ${digest('b')}, streams: [a/x]}
jwt:
  - {issuer: 'https://login.example/a', audience: s, jwks_file: a.json}
  - {issuer: 'https://login.example/a/', audience: s, jwks_file: a.json}
  - {issuer: 'https://login.example/a', audience: t, jwks_url: 'https://login.example/jwks'}
`;
  expect(problems(text)).toEqual([
    `4 keys[1].sha256: '${digest('a')}' is already that of keys[0]`,
    "5 keys[2].name: 'one' is already that of keys[0]",
    "9 jwt[2].issuer: 'https://login.example/a' is already that of jwt[0]",
  ]);
});

it.each([
  ['kinesis_stream: sluice-ledger', "2 streams[0].kinesis_stream: 'sluice-ledger' is reserved"],
  ['kafka_topic: sluice-ledger', "2 streams[0].kafka_topic: 'sluice-ledger' is reserved"],
  ["kinesis_stream: '..'", "2 streams[0].kinesis_stream: '..' is reserved"],
  ["kafka_topic: '.'", "2 streams[0].kafka_topic: '.' is reserved"],
  ['kafka_topic: __consumer_offsets', "2 streams[0].kafka_topic: '__consumer_offsets' is reserved"],
])('a stream has no name that is taken: %s', (member, expected) => {
  expect(problems(`streams:\n  - {team: a, app: x, ${member}}\n`)).toEqual([expected]);
});

it('team sluice is nobody, whatever its app', () => {
  expect(problems('streams:\n  - {team: sluice, app: ledger}\n')).toEqual([
    "2 streams[0].team: 'sluice' is reserved",
  ]);
});

it('says of each section whether it is there, if only as an empty list', () => {
  const sections = (text: string): unknown => {
    const result = parseConfig(text, { file: 'sluice.yaml', env: {}, baseDir: '/base' });
    return result.ok && result.config.access.sections;
  };
  expect(sections(streams)).toEqual({ keys: false, jwt: false });
  expect(sections(`${streams}\nkeys: []\njwt: []`)).toEqual({ keys: true, jwt: true });
  // A section without a value is what is left of one that is half saved.
  expect(problems(`${streams}\nkeys:\n`)).toEqual(['2 keys: has no value']);
});
