/**
 * The binary of the HTTP server: its bound on heads, which it reads from the environment when it is
 * loaded, and what is known to be wrong with it.
 *
 * To be imported before anything that imports the ingress. Setting the variable is all that
 * importing it does.
 */
import { limits } from '../../schemas/limits.ts';

process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(limits.httpHeadMaxBytes);

/** The first module version of Node (22) whose binary is made from the newer source. */
const newerFromModules = 127;

/** Whether the binary in use is the older one, which misreads valid requests. */
export function needsStrictFront(): boolean {
  return Number(process.versions.modules) < newerFromModules;
}

/** One line about a binary with known faults; undefined of one without. */
export function httpServerNotice(): string | undefined {
  if (!needsStrictFront()) return undefined;
  return 'the HTTP server of Node 20 has known faults, so a slower, strict one stands in front of it: use Node 24 on Debian 13 (glibc 2.38 or later) in production';
}
