/** Graphs in Neo4j, written by the statements and the books of the engine here. */

import type { FlinkConnector } from './connector.ts';
import { secretFields, secretProblems } from './connector.ts';

export const neo4j: FlinkConnector = {
  name: 'neo4j',
  example:
    '{"connector": "neo4j", "url": "neo4j+s://graph.example", "passwordEnv": "NEO4J_PASSWORD"}',
  roles: {
    graph: {
      url: {
        type: 'text',
        isRequired: true,
        meaning: 'an address with bolt, bolt+s, neo4j or neo4j+s, such as neo4j+s://graph.example',
      },
      user: { type: 'text', meaning: 'a user; default neo4j' },
      database: { type: 'text', meaning: "a database; default: the user's home database" },
      retryMaxMs: {
        type: 'whole',
        meaning: 'how long what may pass is tried again before the task ends; default 30000',
      },
      ...secretFields('password', 'the password'),
    },
  },
  check: (settings) => secretProblems('password', settings),
};
