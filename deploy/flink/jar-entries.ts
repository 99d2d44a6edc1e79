/**
 * Puts files into a copy of a jar, so that one file is all that a service such as Amazon's needs:
 * the entries that the jar has stay as they are, the new ones come after them, uncompressed.
 *
 * The format is that of APPNOTE 6.3.10 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT),
 * sections 4.3.7, 4.3.12 and 4.3.16, without Zip64.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';

const endMark = 0x06054b50;
const centralMark = 0x02014b50;
const localMark = 0x04034b50;
const endBytes = 22;
/** The only method of compression that jars have. */
const deflated = 8;
/** What an entry may hold: far above the largest bundle (flink-check.ts). */
const textMaxBytes = 1 << 26;
/** The comment at the end of a jar is at most so long. */
const commentMaxBytes = 65_535;
const utf8Flag = 0x0800;
/** 1980-01-01, midnight: the same files give the same jar. */
const dosDate = 0x0021;

interface End {
  readonly count: number;
  readonly centralBytes: number;
  readonly centralAt: number;
}

/** `files`: texts by their path in the jar. Throws `SluiceError` `flink-jar-invalid`. */
export function withEntries(
  jar: Uint8Array,
  files: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(jar.buffer, jar.byteOffset, jar.byteLength);
  const { count, centralBytes, centralAt } = endOf(bytes);
  const central = bytes.subarray(centralAt, centralAt + centralBytes);
  for (const { name } of directoryOf(central, count))
    if (Object.hasOwn(files, name)) throw invalid(`it has an entry '${name}' already`);
  const locals: Buffer[] = [];
  const heads: Buffer[] = [];
  let at = centralAt;
  for (const [name, text] of Object.entries(files)) {
    const entry = entryOf(name, Buffer.from(text), at);
    locals.push(...entry.local);
    heads.push(entry.head);
    at += entry.local.reduce((sum, { length }) => sum + length, 0);
  }
  const added = Buffer.concat(heads);
  const end = Buffer.alloc(endBytes);
  end.writeUInt32LE(endMark, 0);
  const total = count + heads.length;
  if (total > 0xfffe) throw invalid('it has too many entries');
  end.writeUInt16LE(total, 8);
  end.writeUInt16LE(total, 10);
  end.writeUInt32LE(centralBytes + added.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([bytes.subarray(0, centralAt), ...locals, central, added, end]);
}

/** The text of an entry, stored or deflated; undefined where there is none. Throws as `withEntries`. */
export function entryIn(jar: Uint8Array, name: string): string | undefined {
  const bytes = Buffer.from(jar.buffer, jar.byteOffset, jar.byteLength);
  const { count, centralBytes, centralAt } = endOf(bytes);
  const central = bytes.subarray(centralAt, centralAt + centralBytes);
  const found = directoryOf(central, count).find((entry) => entry.name === name);
  if (found === undefined) return undefined;
  const { at, bytes: length, isDeflated } = found;
  if (at + 30 > centralAt) throw invalid('its directory is damaged');
  // The file comes after its own head, the name and what else stands there.
  const begin = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
  const file = bytes.subarray(begin, begin + length);
  if (!isDeflated) return file.toString();
  try {
    return inflateRawSync(file, { maxOutputLength: textMaxBytes }).toString();
  } catch (cause) {
    throw invalid(`its entry '${name}' cannot be inflated (${messageOf(cause)})`);
  }
}

/** The record at the end, which says where the directory of entries is. */
function endOf(bytes: Buffer): End {
  const least = Math.max(0, bytes.length - endBytes - commentMaxBytes);
  for (let at = bytes.length - endBytes; at >= least; at--) {
    if (bytes.readUInt32LE(at) !== endMark) continue;
    const count = bytes.readUInt16LE(at + 10);
    const centralBytes = bytes.readUInt32LE(at + 12);
    const centralAt = bytes.readUInt32LE(at + 16);
    if (count === 0xffff || centralAt === 0xffffffff) throw invalid('it is a Zip64 file');
    if (centralAt + centralBytes <= at) return { count, centralBytes, centralAt };
  }
  throw invalid('it is not a jar');
}

interface Entry {
  readonly name: string;
  /** Where it begins, and how long its file is as it is stored. */
  readonly at: number;
  readonly bytes: number;
  readonly isDeflated: boolean;
}

function directoryOf(central: Buffer, count: number): readonly Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > central.length || central.readUInt32LE(at) !== centralMark)
      throw invalid('its directory is damaged');
    const lengths = [28, 30, 32].map((offset) => central.readUInt16LE(at + offset));
    const [name = 0, extra = 0, comment = 0] = lengths;
    entries.push({
      name: central.toString('utf8', at + 46, at + 46 + name),
      at: central.readUInt32LE(at + 42),
      bytes: central.readUInt32LE(at + 20),
      isDeflated: central.readUInt16LE(at + 10) === deflated,
    });
    at += 46 + name + extra + comment;
  }
  return entries;
}

/** What stands before the file and in the directory; `at`: where the file begins in the jar. */
function entryOf(
  name: string,
  content: Buffer,
  at: number,
): { readonly local: readonly Buffer[]; readonly head: Buffer } {
  const named = Buffer.from(name);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(localMark, 0);
  // What both have: version 1.0, UTF-8, stored, time, checksum, sizes, length of the name.
  local.writeUInt16LE(10, 4);
  local.writeUInt16LE(utf8Flag, 6);
  local.writeUInt16LE(dosDate, 12);
  local.writeUInt32LE(crc32(content), 14);
  local.writeUInt32LE(content.length, 18);
  local.writeUInt32LE(content.length, 22);
  local.writeUInt16LE(named.length, 26);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(centralMark, 0);
  head.writeUInt16LE(10, 4);
  local.copy(head, 6, 4, 30);
  head.writeUInt32LE(at, 42);
  return { local: [local, named, content], head: Buffer.concat([head, named]) };
}

function invalid(why: string): SluiceError {
  return new SluiceError('flink-jar-invalid', `the jar cannot be used: ${why}`, {
    fix: "pass the job's own jar with --jar, or leave the option out so that it is built",
  });
}
