// Print what @adobe/structured-data-validator says of each page, as JSON: [page, severity, message, path].
import { readFileSync } from 'node:fs';
import Validator from '@adobe/structured-data-validator';
import WebAutoExtractor from '@marbec/web-auto-extractor';

const found = [];
for (const file of process.argv.slice(2)) {
  const extractor = new WebAutoExtractor({ addLocation: true, embedSource: ['rdfa', 'microdata'] });
  const issues = await new Validator().validate(extractor.parse(readFileSync(file, 'utf8')));
  for (const issue of issues) {
    const path = (issue.path ?? []).map((step) => step.type).join('/');
    found.push([file, issue.severity, issue.issueMessage, path]);
  }
}
console.log(JSON.stringify(found));
