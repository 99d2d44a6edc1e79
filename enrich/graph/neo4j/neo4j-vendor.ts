/**
 * Neo4j as what sinks of a service write to: all graphs.
 */
import { readFileSync } from 'node:fs';
import { incomplete } from '../../../schemas/config/incomplete.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Neo4jConfig } from '../../../schemas/sinks/neo4j.ts';
import type { SinkVendor } from '../../sink-vendor.ts';
import { cypherDatabase } from '../graph-database.ts';
import type { Neo4jOptions, Neo4jSession } from './neo4j-session.ts';
import { createNeo4jSession } from './neo4j-session.ts';

/** A start waits for a server that is being restarted, and says soon that there is none. */
const checkRetryMaxMs = 5_000;

export const neo4jVendor: SinkVendor = {
  checks: ({ neo4j }) => {
    if (neo4j.url === undefined) return [];
    const access = accessOf(neo4j);
    const look = async (): Promise<string> => {
      const session = createNeo4jSession({ ...access, retryMaxMs: checkRetryMaxMs });
      try {
        return await session.check();
      } finally {
        await session.close();
      }
    };
    return [{ what: 'Neo4j', look }];
  },
  // A session for each sink: one that waits for a lock holds no other back.
  open: ({ neo4j }) => {
    const sessions: Neo4jSession[] = [];
    return {
      graph: () => {
        const session = createNeo4jSession(accessOf(neo4j));
        sessions.push(session);
        return cypherDatabase(session);
      },
      close: async () => void (await Promise.all(sessions.map((session) => session.close()))),
    };
  },
};

function accessOf({ url, user, password, database }: Neo4jConfig): Neo4jOptions {
  if (url === undefined)
    throw incomplete('neo4j.url', 'where the graph is, such as neo4j+s://graph.example');
  return {
    url,
    user,
    password: passwordOf(password),
    ...(database === undefined ? {} : { database }),
  };
}

function passwordOf(password: Neo4jConfig['password']): string {
  if (password === undefined)
    throw incomplete(
      'neo4j.password_file',
      'a file that has the password, or neo4j.password from the environment',
    );
  if ('text' in password) return password.text;
  try {
    return readFileSync(password.file, 'utf8').trimEnd();
  } catch (thrown) {
    throw new SluiceError(
      'config-incomplete',
      `neo4j.password_file cannot be read: ${messageOf(thrown)}`,
    );
  }
}
