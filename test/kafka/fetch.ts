import { fileURLToPath } from 'node:url';
import { cachedFolder } from '../cached-folder.ts';
import { finished } from '../finished.ts';

const pom = fileURLToPath(new URL('pom.xml', import.meta.url));

/** The folder with the jars of the broker that pom.xml names, fetched with Maven the first time. */
export async function kafkaJars(): Promise<string> {
  return cachedFolder('kafka', pom, async (folder) => {
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
    await finished('mvn', ['-q', '-B', '-f', pom, ...copy]);
  });
}
