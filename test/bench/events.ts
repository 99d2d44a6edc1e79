/**
 * Events of a given size for benchmarks: an object of short strings and numbers, as clicks are, the
 * same every time.
 */
export function eventOf(bytes: number): Buffer {
  const fields: string[] = [];
  let length = 2;
  for (let n = 0; ; n++) {
    const field =
      n % 4 === 0 ? `"field${n}":${n * 7_919}` : `"field${n}":"value of the field, number ${n}"`;
    if (length + field.length + 1 > bytes - 12) break;
    fields.push(field);
    length += field.length + 1;
  }
  const padded = `{${fields.join(',')},"pad":"`;
  return Buffer.from(`${padded}${'x'.repeat(Math.max(0, bytes - padded.length - 2))}"}`);
}
