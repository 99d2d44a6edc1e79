/**
 * Without keys only this machine may reach the ingress, and a person is told which pages may send.
 */
import { expect, it } from 'vitest';
import { openNotice, refuseOpenToAll } from '../../../deploy/host/open-to-all.ts';
import type { SluiceConfig } from '../../../schemas/config.ts';
import { parseConfig } from '../../../schemas/config-file.ts';
import { saying } from '../../said.ts';

const configOf = (yaml: string): SluiceConfig => {
  const parsed = parseConfig(`streams: [{team: a, app: x}]\n${yaml}\n`, {
    file: 'sluice.yaml',
    env: {},
    baseDir: '.',
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};
const key = `keys: [{name: k, sha256: ${'a'.repeat(64)}, streams: [a/x]}]`;

it.each([
  ['ingress: {host: 0.0.0.0}'],
  ['ingress: {host: "0"}'],
  ['ingress: {host: 192.0.2.1}'],
  ['ingress: {host: "::"}'],
  ['ingress: {host: "::ffff:192.0.2.1"}'],
  ['ingress: {host: no-such-host.invalid}'],
  ['ingress: {host: 127.no-such-host.invalid}'],
])(
  'refuses to start without keys at an address of others, and names the way out: %s',
  async (yaml) => {
    await expect(refuseOpenToAll(configOf(yaml))).rejects.toMatchObject({
      code: 'open-to-all',
      fix: saying({ code: ['sluice key new --name NAME --stream TEAM/APP'] }),
    });
    await refuseOpenToAll(configOf(`${yaml}\n${key}`));
  },
);

it.each([
  [''],
  ['ingress: {host: "::1"}'],
  ['ingress: {host: localhost}'],
  ['ingress: {host: 127.0.0.2}'],
  ['ingress: {host: "127.1"}'],
])('starts without keys on this machine: %s', async (yaml) => {
  await refuseOpenToAll(configOf(yaml));
});

it('says which pages may send without keys, and nothing with keys', () => {
  expect(openNotice(configOf(''))).toContain('pages of localhost may send');
  expect(openNotice(configOf('ingress: {origins: []}'))).toContain('pages of no origin may send');
  expect(openNotice(configOf("ingress: {origins: ['https://a.example']}"))).toContain(
    'pages of https://a.example may send',
  );
  expect(openNotice(configOf(key))).toBeUndefined();
});
