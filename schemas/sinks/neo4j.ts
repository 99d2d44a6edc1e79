/**
 * Neo4j, for the graphs of `sluice enrich`.
 */
import { inFormat } from '../config/formats.ts';
import type { SecretConfig } from '../config/ingress.ts';
import { secretOf } from '../config/ingress.ts';
import type { EntryRule } from '../config/rule.ts';
import type { ValueOf } from '../config/setting.ts';
import { group, text } from '../config/setting.ts';
import type { SinkPart } from './sink-part.ts';

const section = group({
  description: 'Neo4j, for the graph of `sluice enrich`.',
  properties: {
    url: text({
      ...inFormat('graph-url'),
      description: 'Address. Unset: Neo4j is not configured.',
      shown: 'written',
      examples: ['neo4j+s://graph.example'],
    }),
    user: text({ description: 'User.', default: 'neo4j' }),
    password: text({ description: 'Password.', writeOnly: true, examples: ['${NEO4J_PASSWORD}'] }),
    password_file: text({
      description: 'File with the password.',
      format: 'file',
      examples: ['/run/secrets/neo4j'],
    }),
    database: text({ description: "Database. Unset: the user's home database." }),
  },
});

type Neo4jValues = ValueOf<typeof section>;
export interface Neo4jConfig extends Omit<Neo4jValues, 'password' | 'passwordFile'> {
  readonly password: SecretConfig | undefined;
}

const onePlaceOfPassword: EntryRule = ({ password, password_file: file }) =>
  password !== undefined && file !== undefined
    ? {
        path: ['password'],
        at: [],
        message: 'the password must come from one place',
        expected: 'either password or password_file',
      }
    : undefined;

export const neo4j = {
  section,
  rules: { entries: [[['neo4j'], [onePlaceOfPassword]]] },
  read: ({ password, passwordFile, ...settings }: Neo4jValues): Neo4jConfig => ({
    ...settings,
    password: secretOf(password, passwordFile),
  }),
  rights: {},
  // Its faults are those of every graph.
  codes: {},
} as const satisfies SinkPart;
