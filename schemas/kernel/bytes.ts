/** Units in which bounds of bytes are written. */
export const kibi = 1_024;
export const mebi = 1_024 * kibi;
