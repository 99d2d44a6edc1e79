/**
 * The binary of the HTTP server: its bound on heads, which it reads from the environment when it is loaded, and what is known to be wrong with it.
 *
 * To be imported before anything that imports the ingress. Setting the variable is all that importing it does.
 */
import { limits } from '../../schemas/limits.ts';

process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(limits.httpHeadMaxBytes);

/** The first module version of Node (22) whose binary is made from the newer source. */
const newerFromModules = 127;

/** One line about a binary with known faults; undefined of one without. `modules` is Node's `process.versions.modules`. */
export function httpServerNotice(modules: string): string | undefined {
  if (Number(modules) >= newerFromModules) return undefined;
  return 'the HTTP server of Node 20 has known faults (header names with "_" or ".", request lines in two segments): use Node 24 on Debian 13 (glibc 2.38 or later) in production';
}
