/**
 * Executes a command that reads and runs files beneath the given paths alone, writes none and
 * reaches no network: `node question-sandbox.js PATHS COMMAND...`, where PATHS is a JSON list and
 * the last word of COMMAND a module.
 *
 * Where the kernel has no Landlock, or this machine not the package that calls it, the module runs
 * without that.
 */
import { pathToFileURL } from 'node:url';
import { confine } from './landlock.ts';

const [, , paths = '[]', ...command] = process.argv;
const confinement = await confine(JSON.parse(paths) as string[]);
if (confinement.version > 0) confinement.execute(command);
else await import(pathToFileURL(command.at(-1) ?? '').href);
