/**
 * The reason phrase of each status. An `import` of `node:http` would evaluate everything that it exports, its WebSocket
 * client among it: 40 ms at every start.
 */
export const { STATUS_CODES } = process.getBuiltinModule('node:http');
