from django.db import migrations

from models_runtime.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("labeling", "0003_prompt_follow_ups")]
    operations = [AppendOnly("label")]
