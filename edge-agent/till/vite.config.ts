import { defineConfig } from 'vitest/config';

// While working on the pages: `npm run dev` beside a running `saoma-edge run`.
const TILL = process.env['SAOMA_TILL'] ?? 'http://127.0.0.1:7800';

export default defineConfig({
  build: {
    rolldownOptions: { input: ['index.html', 'display.html', 'pair.html'] },
    modulePreload: { polyfill: false },
  },
  server: {
    // The agent serves its own address only, so the proxy speaks in that name.
    proxy: { '/api': { target: TILL, changeOrigin: true, headers: { origin: TILL } } },
  },
  test: { include: ['src/**/*.test.ts'] },
});
