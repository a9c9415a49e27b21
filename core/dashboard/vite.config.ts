import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// While working on the pages: `npm run dev` beside a running `saoma serve`.
const CORE = process.env['SAOMA_CORE'] ?? 'http://127.0.0.1:7600';

export default defineConfig({
  plugins: [react()],
  build: {
    // The name holds a hash of the content, so the server may let browsers keep these for ever.
    assetsDir: 'assets',
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { '/v1': CORE } },
  test: { include: ['src/**/*.test.ts'] },
});
